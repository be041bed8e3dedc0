//! Events as lines of text.
//!
//! What serde writes of an event is the format, and a race of 40,000 small files has 320,000 events while it keeps
//! every processor busy. So the facts that come with every task are written here by hand, in a fraction of
//! the time; the tests hold each of them against serde's line.

use std::io;

use serde::Serialize;

use crate::event::{At, Event, Fact, Outcome, ResponseHead, RunId, TaskEnd, TaskId};

/// Adds the line of anything that serde knows.
pub(super) fn push(what: &impl Serialize, text: &mut Vec<u8>) -> io::Result<()> {
    serde_json::to_writer(&mut *text, what)?;
    text.push(b'\n');
    Ok(())
}

/// Adds an event's line.
pub(super) fn push_event(event: &Event, text: &mut Vec<u8>) -> io::Result<()> {
    match &event.fact {
        Fact::TaskQueued { run, task } => {
            begin(text, event.at, br#","event":"task_queued","run":"#, *run, *task);
        }
        Fact::TaskStarted { run, task, lane } => {
            begin(text, event.at, br#","event":"task_started","run":"#, *run, *task);
            member(text, br#","lane":"#, lane.0);
        }
        Fact::PhaseEntered { run, task, phase } => {
            begin(text, event.at, br#","event":"phase_entered","run":"#, *run, *task);
            text.extend_from_slice(br#","phase":"#);
            serde_json::to_writer(&mut *text, phase)?;
        }
        Fact::AttemptStarted { run, task, number } => {
            begin(text, event.at, br#","event":"attempt_started","run":"#, *run, *task);
            member(text, br#","number":"#, *number);
        }
        Fact::BytesArrived { run, task, bytes } => {
            begin(text, event.at, br#","event":"bytes_arrived","run":"#, *run, *task);
            member(text, br#","bytes":"#, *bytes);
        }
        Fact::ResponseArrived { run, task, head } if only_length(head) => {
            begin(text, event.at, br#","event":"response_arrived","run":"#, *run, *task);
            member(text, br#","head":{"status":"#, head.status);
            if let Some(length) = head.length {
                member(text, br#","length":"#, length);
            }
            text.push(b'}');
        }
        Fact::TaskFinished { run, task, end } => {
            let TaskEnd { outcome: Outcome::Done, bytes, write_nanos, check, result: None } = &**end else {
                return push(event, text);
            };
            begin(text, event.at, br#","event":"task_finished","run":"#, *run, *task);
            member(text, br#","end":{"outcome":"done","bytes":"#, *bytes);
            member(text, br#","write_nanos":"#, *write_nanos);
            text.extend_from_slice(br#","check":"#);
            serde_json::to_writer(&mut *text, check)?;
            text.push(b'}');
        }
        _ => return push(event, text),
    }
    text.extend_from_slice(b"}\n");
    Ok(())
}

/// Whether a head is told for its length's sake, as those are that nobody keeps.
fn only_length(head: &ResponseHead) -> bool {
    let ResponseHead { status: _, version, length: _, remote, redirected_to, headers } = head;
    version.is_empty() && remote.is_none() && redirected_to.is_none() && headers.is_empty()
}

#[inline]
fn begin(text: &mut Vec<u8>, at: At, event: &[u8], run: RunId, task: TaskId) {
    member(text, br#"{"at":"#, at.0);
    member(text, event, run.0);
    member(text, br#","task":"#, task.0);
}

/// Adds a number behind what leads up to it. Inlined, so that the lengths of the latter are known.
#[inline]
fn member(text: &mut Vec<u8>, lead: &[u8], value: impl itoa::Integer) {
    text.extend_from_slice(lead);
    text.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use crate::event::{Check, ErrorKind, Headers, LaneId, Phase, TaskError};

    use super::*;

    fn phases() -> impl Strategy<Value = Phase> {
        prop::sample::select(Phase::ALL.to_vec())
    }

    fn ends() -> impl Strategy<Value = TaskEnd> {
        let outcomes = prop_oneof![
            4 => Just(Outcome::Done),
            1 => Just(Outcome::Cancelled),
            1 => "\\PC{0,9}".prop_map(|message| Outcome::Panicked { message }),
            1 => "\\PC{0,9}".prop_map(|message| Outcome::Failed(TaskError::new(ErrorKind::Status, message))),
        ];
        let checks = prop::sample::select(vec![Check::Nothing, Check::Length, Check::Digest, Check::Result]);
        let results = prop_oneof![3 => Just(None), 1 => any::<String>().prop_map(Some)];
        (outcomes, any::<u64>(), any::<u64>(), checks, results).prop_map(
            |(outcome, bytes, write_nanos, check, result)| TaskEnd {
                outcome,
                bytes,
                write_nanos,
                check,
                result,
            },
        )
    }

    fn heads() -> impl Strategy<Value = ResponseHead> {
        let text = || prop_oneof![3 => Just(String::new()), 1 => any::<String>()];
        let maybe = || prop_oneof![3 => Just(None), 1 => any::<String>().prop_map(Some)];
        let headers =
            prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(any::<(String, String)>(), 1..3)]
                .prop_map(Headers::from_iter);
        (any::<u16>(), text(), any::<Option<u64>>(), maybe(), maybe(), headers).prop_map(
            |(status, version, length, remote, redirected_to, headers)| ResponseHead {
                status,
                version: version.into(),
                length,
                remote,
                redirected_to,
                headers,
            },
        )
    }

    fn facts() -> impl Strategy<Value = Fact> {
        let places = || (any::<u16>().prop_map(RunId), any::<u32>().prop_map(TaskId));
        prop_oneof![
            places().prop_map(|(run, task)| Fact::TaskQueued { run, task }),
            (places(), any::<u32>()).prop_map(|((run, task), lane)| Fact::TaskStarted {
                run,
                task,
                lane: LaneId(lane)
            }),
            (places(), phases()).prop_map(|((run, task), phase)| Fact::PhaseEntered { run, task, phase }),
            (places(), any::<u32>()).prop_map(|((run, task), number)| Fact::AttemptStarted {
                run,
                task,
                number
            }),
            (places(), any::<u64>()).prop_map(|((run, task), bytes)| Fact::BytesArrived { run, task, bytes }),
            (places(), ends()).prop_map(|((run, task), end)| Fact::TaskFinished {
                run,
                task,
                end: Box::new(end)
            }),
            (places(), heads()).prop_map(|((run, task), head)| Fact::ResponseArrived {
                run,
                task,
                head: Arc::new(head)
            }),
            places().prop_map(|(run, task)| Fact::ResultDelivered { run, task }),
            Just(Fact::Collected),
        ]
    }

    proptest! {
        #[test]
        fn a_line_is_the_one_that_serde_writes(at in any::<u64>(), fact in facts()) {
            let event = Event { at: At(at), fact };
            let (mut by_hand, mut by_serde) = (Vec::new(), Vec::new());
            push_event(&event, &mut by_hand)?;
            push(&event, &mut by_serde)?;
            prop_assert_eq!(String::from_utf8(by_hand), String::from_utf8(by_serde.clone()));
            prop_assert_eq!(serde_json::from_slice::<Event>(&by_serde)?, event);
        }
    }
}
