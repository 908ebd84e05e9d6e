import { Module } from '@nestjs/common';
import { OperationsController } from './operations.controller.js';

/** For what runs the process. */
@Module({ controllers: [OperationsController] })
export class OperationsModule {}
