/** What stands before a country's short name in its official one: form, adjectives, article. Folded, by language. */
const FORMS: readonly RegExp[] = [
  // English
  /^(?:(?:the|federal|federative|democratic|popular|people s|peoples|socialist|islamic|arab|bolivarian|plurinational|cooperative|co operative|oriental|independent|united|hashemite|sovereign|and) )*(?:republic|kingdom|state|states|commonwealth|principality|sultanate|grand duchy|union|federation|nation|territory|emirate) of (?:the )?/,
  /^the /,
  // German
  /^(?:(?:foderale|foderative|demokratische|sozialistische|islamische|arabische|bolivarische|vereinigte|unabhangiger|plurinationaler|kooperative|die|das|der) )*(?:republik|bundesrepublik|volksrepublik|konigreich|haschemitisches konigreich|furstentum|grossherzogtum|staat|sultanat|emirat|commonwealth|union) (?:(?:der|des|von|die) )?/,
  // French
  /^(?:la |le |l )?(?:republique|royaume|principaute|grand duche|etat|sultanat|union|federation|commonwealth)(?: (?:federale|federative|democratique|populaire|socialiste|islamique|arabe|bolivarienne|plurinational|cooperative|unie|hachemite|orientale|et))* (?:de la|de l|du|des|de|d) /,
  // Spanish
  /^(?:la |el )?(?:republica|reino|principado|gran ducado|estado|sultanato|union|mancomunidad|federacion|commonwealth)(?: (?:federal|federativa|democratica|popular|socialista|islamica|arabe|bolivariana|plurinacional|cooperativa|unida|oriental|hachemita|y))* (?:de la|de los|de las|del|de) /,
  // Italian
  /^(?:la |il |lo |l )?(?:repubblica|regno|principato|granducato|stato|sultanato|unione|federazione|commonwealth)(?: (?:federale|federativa|democratica|popolare|socialista|islamica|araba|bolivariana|plurinazionale|cooperativa|unita|orientale|hascemita|e))* (?:della|dello|dell|degli|delle|dei|del|di|d) /,
  // Portuguese
  /^(?:a |o )?(?:republica|reino|principado|grao ducado|estado|sultanato|uniao|comunidade|federacao)(?: (?:federal|federativa|democratica|popular|socialista|islamica|arabe|bolivariana|plurinacional|cooperativa|unida|oriental|haxemita|e))* (?:da|das|do|dos|de) /,
  // Dutch
  /^(?:(?:de|het|federale|federatieve|democratische|socialistische|islamitische|arabische|bolivariaanse|plurinationale|cooperatieve|verenigde) )*(?:republiek|bondsrepubliek|volksrepubliek|koninkrijk|groothertogdom|prinsdom|vorstendom|staat|sultanaat|unie|gemenebest) (?:(?:van|der|het|de) )*/,
];

/** Behind the name in Japanese. */
const JAPANESE_FORM = /\s?(?:連邦|民主|人民|社会主義|イスラム|アラブ)*(?:共和国|王国|公国|大公国|連邦|合衆国|首長国)$/u;

/** Two countries each: their official names are told apart by nothing but the form, and are read whole or not at all. */
const HALVES = /^(?:korea|coree|corea|coreia|korei|kongo|konga|congo|china|chine|cina|chin|コンゴ|朝鮮|中華)$/u;

/** The short names that an official one may stand for, folded as it is; of several languages one is a name. */
export function withoutFormOfState(folded: string): string[] {
  const shorts = [...FORMS, JAPANESE_FORM].map((form) => folded.replace(form, ""));
  return shorts.filter((short) => short !== folded && short !== "" && !HALVES.test(short));
}
