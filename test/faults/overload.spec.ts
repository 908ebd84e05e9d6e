import { overloadSuite } from './overload.suite.js';

overloadSuite(5);
