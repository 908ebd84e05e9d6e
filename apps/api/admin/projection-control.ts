import { Injectable } from '@nestjs/common';
import { EventStore } from '#event-store/port/event-store.js';
import { Clock } from '#kernel/clock.js';
import { requestRebuild, resumeProjection } from '#projecting/generations.js';
import { projectionStatus, type ProjectionStatus } from '#projecting/status.js';
import { Database } from '#database/database.js';

/** The projections as operators see and steer them; the workers do what is asked here. */
@Injectable()
export class ProjectionControl {
  constructor(
    private readonly database: Database,
    private readonly store: EventStore,
    private readonly clock: Clock,
  ) {}

  status(): Promise<readonly ProjectionStatus[]> {
    return projectionStatus(this.database, this.store, this.clock.now());
  }

  /** False when there is no projection of that name. */
  rebuild(name: string): Promise<boolean> {
    return requestRebuild(this.database, name);
  }

  /** `running` when it is not halted, null when there is no projection of that name. */
  resume(name: string): Promise<'resumed' | 'running' | null> {
    return resumeProjection(this.database, name);
  }
}
