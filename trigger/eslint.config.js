import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["node_modules/", ".trigger/", "src/worker-api/database.types.ts"] },
  tseslint.configs.recommended,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["eslint.config.js", "dependency-cruiser.config.js"] },
      },
    },
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "max-lines": ["error", 400],
    },
  },
);
