//! A lane: a worker's row in the timeline, and the spans on it.

use crate::event::{At, Phase, TaskId, Worker};

/// How many phases there are: the length of a [`Mix`].
const PHASES: usize = Phase::ALL.len();

/// Spans between two checkpoints: small enough to walk in a frame, large enough to cost little memory.
const STRIDE: usize = 16;

/// A lane with no more spans than this is walked from its first to its last.
const WALKED: usize = 512;

/// One phase of one task on one lane, from when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The task.
    pub task: TaskId,
    /// What it was doing.
    pub phase: Phase,
    /// From this moment on.
    pub from: At,
    /// Until this moment; never before `from`.
    pub to: At,
}

/// A span that has not ended yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenSpan {
    /// The task.
    pub task: TaskId,
    /// What it is doing.
    pub phase: Phase,
    /// Since this moment.
    pub from: At,
}

/// Nanoseconds in each phase, by [`Phase::index`].
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Mix(pub [u64; PHASES]);

impl Mix {
    /// Nanoseconds in one phase.
    pub fn of(&self, phase: Phase) -> u64 {
        self.0[phase.index()]
    }

    /// Nanoseconds in all phases together: the time that is not idle.
    pub fn busy(&self) -> u64 {
        self.0.iter().fold(0, |sum, nanos| sum.saturating_add(*nanos))
    }

    /// The phase with the most time; none when there is no time at all. Of equals, the first.
    pub fn most(&self) -> Option<Phase> {
        let mut most: Option<Phase> = None;
        for phase in Phase::ALL {
            if self.of(phase) > most.map_or(0, |m| self.of(m)) {
                most = Some(phase);
            }
        }
        most
    }

    /// Adds another mix to this one.
    pub fn add(&mut self, other: &Mix) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// What came to an earlier mix.
    fn since(mut self, earlier: &Mix) -> Mix {
        for (later, earlier) in self.0.iter_mut().zip(earlier.0) {
            *later = later.saturating_sub(earlier);
        }
        self
    }

    fn grow(&mut self, phase: Phase, from: At, to: At) {
        let nanos = &mut self.0[phase.index()];
        *nanos = nanos.saturating_add(to.0.saturating_sub(from.0));
    }
}

/// A worker and everything that it did. Spans never overlap and are kept in the order of time.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Each with when it came, in the order of time.
    workers: Vec<(At, Worker)>,
    spans: Vec<Span>,
    /// The mix of all spans before every [`STRIDE`]th one: what is drawn of a lane costs the same however
    /// many spans it has.
    checkpoints: Vec<Mix>,
    /// When every [`STRIDE`]th span began: few enough to be searched without waiting for the memory.
    starts: Vec<At>,
    total: Mix,
    open: Option<OpenSpan>,
    tasks: u32,
    /// In the order of time.
    deliveries: Vec<(At, TaskId)>,
}

impl Lane {
    /// What the worker is, the last of them where others were lost; none before its lane opened.
    pub fn worker(&self) -> Option<&Worker> {
        self.workers.last().map(|(_, worker)| worker)
    }

    /// The workers that the lane has had, each with when it came to be. All but the last were lost.
    pub fn workers(&self) -> &[(At, Worker)] {
        &self.workers
    }

    /// The worker at a moment; the first one before it came.
    pub fn worker_at(&self, at: At) -> Option<&Worker> {
        let came = self.workers.partition_point(|(came, _)| *came <= at);
        self.workers.get(came.saturating_sub(1)).map(|(_, worker)| worker)
    }

    /// When the first worker came to be.
    pub fn opened(&self) -> Option<At> {
        self.workers.first().map(|(at, _)| *at)
    }

    /// The tasks of this lane whose results were handed to the main thread, each with when, from that
    /// moment on.
    pub fn deliveries_from(&self, from: At) -> &[(At, TaskId)] {
        &self.deliveries[self.deliveries.partition_point(|(at, _)| *at < from)..]
    }

    /// The spans that have ended, in the order of time.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The span that goes on.
    pub fn open(&self) -> Option<OpenSpan> {
        self.open
    }

    /// How many tasks the worker took up.
    pub fn tasks(&self) -> u32 {
        self.tasks
    }

    /// Time in each phase over the whole lane, until `now`.
    pub fn total(&self, now: At) -> Mix {
        let mut total = self.total;
        if let Some(open) = self.open {
            total.grow(open.phase, open.from, now);
        }
        total
    }

    /// Time in each phase between two moments, where the span that goes on reaches until `now`.
    pub fn mix(&self, from: At, to: At, now: At) -> Mix {
        let ended = self.mix_before(to).since(&self.mix_before(from));
        self.with_open(ended, from, to, now)
    }

    /// The moments but the last, each with the [`mix`](Lane::mix) from there to the next: cheaper than one by one. The
    /// moments are in the order of time.
    pub fn mixes(&self, moments: impl Iterator<Item = At>, now: At) -> impl Iterator<Item = (At, Mix)> {
        let few = self.spans.len() <= WALKED;
        let (mut last, mut ended): (Option<(At, Mix)>, usize) = (None, 0);
        moments.filter_map(move |to| {
            let before = if few { Mix::default() } else { self.mix_before(to) };
            let (from, earlier) = last.replace((to, before))?;
            let spans = match few {
                true => self.walked(&mut ended, from, to),
                false => before.since(&earlier),
            };
            Some((from, self.with_open(spans, from, to, now)))
        })
    }

    /// Time in each phase between two moments, of the spans that have ended; those before `ended` did so by `from`.
    fn walked(&self, ended: &mut usize, from: At, to: At) -> Mix {
        let mut mix = Mix::default();
        while let Some(span) = self.spans.get(*ended).filter(|span| span.from < to) {
            mix.grow(span.phase, span.from.max(from), span.to.min(to));
            if span.to > to {
                break;
            }
            *ended += 1;
        }
        mix
    }

    fn with_open(&self, mut mix: Mix, from: At, to: At, now: At) -> Mix {
        if let Some(open) = self.open {
            mix.grow(open.phase, open.from.max(from), now.min(to));
        }
        mix
    }

    fn mix_before(&self, at: At) -> Mix {
        let begun = self.starts.partition_point(|start| *start < at);
        let Some(last) = begun.checked_sub(1) else { return Mix::default() };
        let mut mix = self.checkpoints.get(last).copied().unwrap_or_default();
        let spans = self.spans.iter().skip(last * STRIDE).take(STRIDE);
        for span in spans.take_while(|span| span.from < at) {
            mix.grow(span.phase, span.from, span.to.min(at));
        }
        mix
    }

    /// The ended spans that touch the time between two moments.
    pub fn spans_between(&self, from: At, to: At) -> &[Span] {
        let first = self.spans.partition_point(|span| span.to <= from);
        let last = self.spans.partition_point(|span| span.from < to);
        &self.spans[first..last.max(first)]
    }

    /// What the worker was doing at a moment: the task, its phase, and since when; none while idle.
    pub fn doing(&self, at: At) -> Option<OpenSpan> {
        if let Some(open) = self.open.filter(|open| open.from <= at) {
            return Some(open);
        }
        let span = self.spans.get(self.spans.partition_point(|span| span.to <= at))?;
        (span.from <= at).then_some(OpenSpan { task: span.task, phase: span.phase, from: span.from })
    }

    /// The spans of one task, the one that goes on included with `now` as its end.
    pub fn story(&self, task: TaskId, from: At, now: At) -> Vec<Span> {
        let first = self.spans.partition_point(|span| span.to < from);
        let ended = self.spans[first..].iter().skip_while(|span| span.task != task).copied();
        let mut story: Vec<Span> = ended.take_while(|span| span.task == task).collect();
        if let Some(open) = self.open.filter(|open| open.task == task) {
            story.push(Span { task, phase: open.phase, from: open.from, to: now.max(open.from) });
        }
        story
    }

    pub(super) fn open_with(&mut self, worker: Worker, at: At) {
        let place = self.workers.iter().rposition(|(came, _)| *came <= at).map_or(0, |i| i + 1);
        self.workers.insert(place, (at, worker));
    }

    pub(super) fn deliver(&mut self, task: TaskId, at: At) {
        let place = self.deliveries.iter().rposition(|(other, _)| *other <= at).map_or(0, |i| i + 1);
        self.deliveries.insert(place, (at, task));
    }

    pub(super) fn count_task(&mut self) {
        self.tasks += 1;
    }

    /// Goes into `phase` of `task` at `at`, which ends the phase before it.
    pub(super) fn enter(&mut self, task: TaskId, phase: Phase, at: At) {
        let from = at.max(self.end());
        self.close(at);
        self.open = Some(OpenSpan { task, phase, from });
    }

    /// Ends the phase that goes on; a phase without length leaves no span.
    pub(super) fn close(&mut self, at: At) {
        let Some(open) = self.open.take() else { return };
        let span = Span { task: open.task, phase: open.phase, from: open.from, to: at.max(open.from) };
        if span.to > span.from {
            if self.spans.len().is_multiple_of(STRIDE) {
                self.checkpoints.push(self.total);
                self.starts.push(span.from);
            }
            self.total.grow(span.phase, span.from, span.to);
            self.spans.push(span);
        }
    }

    fn end(&self) -> At {
        let ended = self.spans.last().map_or(At::ZERO, |span| span.to);
        self.open.map_or(ended, |open| open.from.max(ended))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lane(steps: &[(u64, usize, bool)]) -> (Lane, At) {
        let mut lane = Lane::default();
        let mut at = At::ZERO;
        for (i, &(wait, phase, idle)) in steps.iter().enumerate() {
            at = At(at.0 + wait);
            if idle {
                lane.close(at);
            } else {
                lane.enter(TaskId::of(i), Phase::ALL[phase % PHASES], at);
            }
        }
        (lane, at)
    }

    #[test]
    fn a_lane_remembers_the_workers_that_it_lost() {
        let worker = |pid| Worker::Process { pid, name: "worker".to_owned(), thread_id: None };
        let mut lane = Lane::default();
        assert_eq!((lane.worker(), lane.worker_at(At(5)), lane.opened()), (None, None, None));
        lane.open_with(worker(1), At(10));
        lane.open_with(worker(2), At(20));
        assert_eq!((lane.worker(), lane.opened()), (Some(&worker(2)), Some(At(10))));
        let at = [5, 10, 19, 20, 99].map(|at| lane.worker_at(At(at)).cloned());
        assert_eq!(at, [1, 1, 1, 2, 2].map(|pid| Some(worker(pid))));
    }

    proptest! {
        #[test]
        fn spans_never_overlap(steps in prop::collection::vec((0_u64..50, 0_usize..9, any::<bool>()), 0..200)) {
            let (lane, _) = lane(&steps);
            prop_assert!(lane.spans().iter().all(|span| span.from < span.to));
            prop_assert!(lane.spans().windows(2).all(|pair| pair[0].to <= pair[1].from));
        }

        #[test]
        fn mixes_one_after_another_are_those_one_by_one(
            steps in prop::collection::vec((0_u64..50, 0_usize..9, any::<bool>()), 0..1800),
            first in 0_u64..2000, widths in prop::collection::vec(0_u64..3000, 1..40),
        ) {
            let (lane, now) = lane(&steps);
            let edges = widths.iter().scan(first, |edge, width| Some(std::mem::replace(edge, *edge + width)));
            let edges: Vec<At> = edges.map(At).collect();
            let one_by_one: Vec<(At, Mix)> =
                edges.windows(2).map(|cell| (cell[0], lane.mix(cell[0], cell[1], now))).collect();
            prop_assert_eq!(lane.mixes(edges.into_iter(), now).collect::<Vec<_>>(), one_by_one);
        }

        #[test]
        fn a_mix_is_the_sum_of_its_spans(
            steps in prop::collection::vec((0_u64..50, 0_usize..9, any::<bool>()), 0..200),
            a in 0_u64..6000, b in 0_u64..6000,
        ) {
            let (lane, now) = lane(&steps);
            let (from, to) = (At(a.min(b)), At(a.max(b)));
            let mut brute = Mix::default();
            for span in lane.spans() {
                brute.grow(span.phase, span.from.max(from), span.to.min(to));
            }
            if let Some(open) = lane.open() {
                brute.grow(open.phase, open.from.max(from), now.min(to));
            }
            prop_assert_eq!(lane.mix(from, to, now), brute);
            for at in [from, to] {
                let span = lane.spans().iter().find(|span| span.from <= at && at < span.to);
                let open = lane.open().filter(|open| open.from <= at);
                let expected = open.map(|o| (o.task, o.phase)).or(span.map(|s| (s.task, s.phase)));
                prop_assert_eq!(lane.doing(at).map(|d| (d.task, d.phase)), expected);
            }
        }
    }
}
