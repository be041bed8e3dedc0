//! What a report tells of one task, as its events.

use crate::event::{At, Check, ErrorKind, Fact, LaneId, Outcome, Phase, RunId, TaskEnd, TaskError, TaskId};

use super::rows::{End, Failure, Kind, Span, Task};

/// One task of a run, and its spans in the order of time.
pub(super) struct Story<'a> {
    pub(super) run: RunId,
    pub(super) id: TaskId,
    pub(super) task: &'a Task,
    pub(super) spans: &'a [Span],
}

impl Story<'_> {
    /// Tells what became of the task; none where its end is told by halves.
    pub(super) fn tell(&self, latest: At, tell: &mut impl FnMut(At, Fact)) -> Option<()> {
        let (run, task) = (self.run, self.id);
        if let Some(at) = self.task.queued {
            tell(at.0, Fact::TaskQueued { run, task });
        }
        let mut last = self.task.queued.map_or(At::ZERO, |at| at.0);
        if let (Some(at), Some(lane)) = (self.task.started, self.task.lane) {
            tell(at.0, Fact::TaskStarted { run, task, lane: LaneId(lane) });
            last = self.tell_phases(at.0, tell).max(last);
        }
        match self.end()? {
            Some((at, outcome)) => {
                let result = self.task.result.as_ref().map(|text| text.0.clone());
                let end = TaskEnd {
                    outcome,
                    bytes: self.task.bytes,
                    write_nanos: 0,
                    check: Check::Nothing,
                    result,
                };
                tell(at.max(last), Fact::TaskFinished { run, task, end: Box::new(end) });
            }
            None if self.task.bytes > 0 => {
                tell(latest.max(last), Fact::BytesArrived { run, task, bytes: self.task.bytes });
            }
            None => {}
        }
        if let Some(at) = self.task.delivered {
            tell(at.0, Fact::ResultDelivered { run, task });
        }
        Some(())
    }

    /// Tells the phases and the attempts; returns the last moment of them.
    fn tell_phases(&self, start: At, tell: &mut impl FnMut(At, Fact)) -> At {
        let (run, task) = (self.run, self.id);
        let mut attempt = 0;
        let mut next_attempt = |at: At, tell: &mut dyn FnMut(At, Fact)| {
            if attempt < self.task.attempts {
                attempt += 1;
                tell(at, Fact::AttemptStarted { run, task, number: attempt });
            }
            attempt < self.task.attempts
        };
        next_attempt(start, tell);
        let (mut at, mut received, mut after_wait) = (start, None, false);
        for span in self.spans {
            at = at.max(span.from.0);
            if after_wait {
                next_attempt(at, tell);
            }
            after_wait = span.phase == Phase::BackingOff;
            let byte = self.task.first_byte.map(|time| time.0).filter(|&byte| received != Some(byte));
            // A first byte at which no stretch of receiving begins had one of no length.
            if let Some(byte) = byte.filter(|byte| (at..span.to.0.max(at)).contains(byte)) {
                if byte > at {
                    tell(at, Fact::PhaseEntered { run, task, phase: span.phase });
                }
                // Those of the attempts that left no trace were before it.
                while next_attempt(byte, tell) {}
                tell(byte, Fact::PhaseEntered { run, task, phase: Phase::Receiving });
                (at, received) = (byte, Some(byte));
                if span.phase == Phase::Receiving {
                    continue;
                }
            }
            tell(at, Fact::PhaseEntered { run, task, phase: span.phase });
        }
        let end = self.spans.last().map_or(start, |span| span.to.0).max(at);
        while next_attempt(end, tell) {}
        match self.task.first_byte.map(|time| time.0.max(end)).filter(|_| received.is_none()) {
            Some(byte) => {
                tell(byte, Fact::PhaseEntered { run, task, phase: Phase::Receiving });
                byte
            }
            None => end.min(self.task.finished.map_or(end, |at| at.0)),
        }
    }

    /// How the task ended and when; an inner none where it hasn't, an outer one where that is told by halves.
    fn end(&self) -> Option<Option<(At, Outcome)>> {
        let Some(outcome) = self.task.outcome else { return Some(None) };
        let at = self.task.finished?.0;
        let message = |error: &Failure| error.message.0.clone();
        let outcome = match (outcome, &self.task.error) {
            (End::Done, _) => Outcome::Done,
            (End::Cancelled, _) => Outcome::Cancelled,
            (End::Abandoned, _) => Outcome::Abandoned,
            (End::Panicked, error) => Outcome::Panicked { message: message(error.as_ref()?) },
            (End::Failed, error) => {
                let error = error.as_ref()?;
                let kind = match error.kind {
                    Kind::Error(kind) => kind,
                    Kind::Panic => ErrorKind::Raised,
                };
                Outcome::Failed(TaskError { kind, message: message(error) })
            }
        };
        Some(Some((at, outcome)))
    }
}
