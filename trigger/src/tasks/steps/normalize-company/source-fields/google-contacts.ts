import type { SourceSystem } from "./source-system";

/** The CSV format of Google Contacts: up to 2023 with "Type" columns, since then with "Label". English in each language. */
// prettier-ignore
export const googleContacts: SourceSystem = {
  fields: {
    name: ["organization name", "organization 1 - name"],
    website: ["website 1 - value"],
    email: ["e-mail 1 - value", "e-mail 2 - value", "e-mail 3 - value"],
    phone: ["phone 1 - value", "phone 2 - value", "phone 3 - value"],
    country: ["address 1 - country"],
    city: ["address 1 - city"],
  },
  examples: [
    {
      header: [
        "First Name", "Middle Name", "Last Name", "File As", "Organization Name", "Organization Title",
        "Organization Department", "Birthday", "Notes", "Labels", "E-mail 1 - Label", "E-mail 1 - Value",
        "Phone 1 - Label", "Phone 1 - Value", "Address 1 - Label", "Address 1 - Street", "Address 1 - City",
        "Address 1 - Country", "Website 1 - Label", "Website 1 - Value",
      ],
      becomes: {
        "Organization Name": "name", "E-mail 1 - Value": "email", "Phone 1 - Value": "phone", "Address 1 - City": "city",
        "Address 1 - Country": "country", "Website 1 - Value": "website",
      },
    },
    {
      header: [
        "Name", "Given Name", "Additional Name", "Family Name", "Group Membership", "E-mail 1 - Type", "E-mail 1 - Value",
        "Phone 1 - Type", "Phone 1 - Value", "Address 1 - Country", "Organization 1 - Type", "Organization 1 - Name",
        "Organization 1 - Title",
      ],
      becomes: {
        "E-mail 1 - Value": "email", "Phone 1 - Value": "phone", "Address 1 - Country": "country",
        "Organization 1 - Name": "name",
      },
    },
  ],
};
