import { Module } from '@nestjs/common';
import { FreshReads } from './freshness.js';
import { LogReads } from './log-reads.js';

/** How fresh what is read must be, and is. */
@Module({ providers: [FreshReads, LogReads], exports: [FreshReads, LogReads] })
export class ReadsModule {}
