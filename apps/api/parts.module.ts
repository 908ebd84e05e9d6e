import { Global, Module, type DynamicModule } from '@nestjs/common';
import { valuesOf, type Parts } from './parts.js';

/** What the process holds open, for all subjects. */
@Global()
@Module({})
export class PartsModule {
  static with(parts: Parts): DynamicModule {
    const providers = valuesOf(parts);
    return { module: PartsModule, providers, exports: providers };
  }
}
