import { flag, object, page, text, type AnswerSchemas } from '../openapi/schema.js';

export const catalogueSchemas: AnswerSchemas = {
  schemas: {
    CatalogueEntry: object({ id: text, name: text, active: flag }, { additionalProperties: true }),
    CatalogueList: page('CatalogueEntry'),
  },
  byRoute: {
    'GET /v1/plans': 'CatalogueList',
    'GET /v1/credit-products': 'CatalogueList',
    'GET /v1/credit-events': 'CatalogueList',
  },
};
