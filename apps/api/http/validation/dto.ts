/** A class whose decorators say which fields a body or a query has. */
export type Dto = new () => object;
