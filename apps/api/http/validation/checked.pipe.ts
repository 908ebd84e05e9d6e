import { Injectable, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import type { Dto } from './dto.js';
import { checked } from './checker.js';

/** What TypeScript names where a parameter has no class of its own; and bytes, as a webhook takes them. */
const plain: ReadonlySet<unknown> = new Set([Object, String, Number, Boolean, Array, Buffer]);

/** Checks every body and query against the rules of the class that its parameter names. Throws the problem `invalid_request`. */
@Injectable()
export class CheckedPipe implements PipeTransform {
  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    const hasRules = metatype !== undefined && !plain.has(metatype);
    return hasRules && (type === 'body' || type === 'query') ? checked(value, metatype as Dto) : value;
  }
}
