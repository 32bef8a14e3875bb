import js from '@eslint/js';
import globals from 'globals';

const unused = ['error', { argsIgnorePattern: '^_' }];

export default [
  { ignores: ['proto/', '**/*.ts'] },
  { ...js.configs.recommended, languageOptions: { globals: globals.node } },
  { rules: { 'no-unused-vars': unused, 'prefer-const': 'error', eqeqeq: 'error' } },
];
