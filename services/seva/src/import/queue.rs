//! Which row may go next: many at once, but what is about one thing goes in order, each after the answer to the one before.

use std::collections::HashMap;

use super::call::{About, Call};
use super::row::Ready;

/// How far ahead of the first row without an answer others are sent: the order of time is kept about so closely between things.
const WINDOW: usize = 1_024;
/// The most interactions sent and not yet answered.
pub(crate) const INTERACTIONS_MAX: usize = 512;
/// The most other requests sent and not yet answered.
const CALLS_MAX: usize = 128;

/// The rows of a run, and how far each is.
#[derive(Debug)]
pub(crate) struct Queue {
    /// What each waits for.
    after: Vec<[Option<usize>; 2]>,
    state: Vec<State>,
    is_interaction: Vec<bool>,
    /// No row before this is without an answer.
    first: usize,
    interactions: usize,
    calls: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Waiting,
    Sent,
    Answered,
}

impl Queue {
    /// All rows wait.
    pub(crate) fn new(rows: &[Ready]) -> Queue {
        let mut last: HashMap<About, usize> = HashMap::new();
        // The stream keeps interactions in order, so they need not wait for each other.
        let mut last_call: HashMap<About, usize> = HashMap::new();
        let mut after = Vec::with_capacity(rows.len());
        let mut is_interaction = Vec::with_capacity(rows.len());
        for (n, row) in rows.iter().enumerate() {
            let (about, names) = (row.call.about(), row.call.names());
            let is_logged = matches!(row.call, Call::LogInteraction(_));
            let before = if is_logged { &last_call } else { &last };
            let of = |about: &Option<About>| about.as_ref().and_then(|about| before.get(about)).copied();
            after.push([of(&about), of(&names)]);
            is_interaction.push(is_logged);
            if let Some(about) = about {
                if !is_logged {
                    last_call.insert(about.clone(), n);
                }
                last.insert(about, n);
            }
        }
        let state = vec![State::Waiting; rows.len()];
        Queue { after, state, is_interaction, first: 0, interactions: 0, calls: 0 }
    }

    /// Whether every row has its answer.
    pub(crate) fn is_done(&self) -> bool {
        self.first == self.state.len()
    }

    /// Takes the rows that may go now.
    pub(crate) fn next(&mut self) -> Vec<usize> {
        let mut next = Vec::new();
        // Interactions go in order, so one that has to wait holds up those behind it.
        let mut may_log = true;
        for n in self.first..self.state.len().min(self.first + WINDOW) {
            may_log &= self.interactions < INTERACTIONS_MAX;
            let may_call = self.calls < CALLS_MAX;
            if !may_log && !may_call {
                break;
            }
            if self.state[n] != State::Waiting {
                continue;
            }
            let is_free = self.after[n].iter().flatten().all(|n| self.state[*n] == State::Answered);
            if self.is_interaction[n] {
                may_log &= is_free;
                if may_log {
                    self.interactions += 1;
                    self.state[n] = State::Sent;
                    next.push(n);
                }
            } else if is_free && may_call {
                self.calls += 1;
                self.state[n] = State::Sent;
                next.push(n);
            }
        }
        next
    }

    /// A row that was taken has its answer.
    pub(crate) fn answered(&mut self, n: usize) {
        self.leave(n, State::Answered);
        while self.state.get(self.first) == Some(&State::Answered) {
            self.first += 1;
        }
    }

    /// A row that was taken has to be taken again.
    pub(crate) fn again(&mut self, n: usize) {
        self.leave(n, State::Waiting);
    }

    fn leave(&mut self, n: usize, to: State) {
        if self.is_interaction[n] {
            self.interactions -= 1;
        } else {
            self.calls -= 1;
        }
        self.state[n] = to;
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use seva_api::pb::escalation::v1::AcceptEscalationRequest;
    use seva_api::pb::intake::v1::{LogInteractionRequest, ResolveCaseRequest};

    use super::*;

    fn ready(call: Call) -> Ready {
        Ready { line: 2, occurred_at: Timestamp::UNIX_EPOCH, call }
    }

    fn log(thread: &str) -> Ready {
        let thread = thread.to_owned();
        ready(Call::LogInteraction(LogInteractionRequest { thread, ..LogInteractionRequest::default() }))
    }

    fn resolve(thread: &str) -> Ready {
        ready(Call::ResolveCase { thread: thread.to_owned(), request: ResolveCaseRequest::default() })
    }

    fn accept(thread: &str) -> Ready {
        ready(Call::AcceptEscalation {
            thread: thread.to_owned(),
            request: AcceptEscalationRequest::default(),
        })
    }

    #[test]
    fn interactions_go_together_and_what_follows_from_their_answer_after_it() {
        let mut queue = Queue::new(&[log("a"), log("a"), accept("a"), log("b")]);
        assert_eq!(queue.next(), [0, 1, 3]);
        queue.answered(0);
        assert_eq!(queue.next(), [0usize; 0]);
        queue.answered(1);
        assert_eq!(queue.next(), [2]);
    }

    #[test]
    fn what_is_about_one_case_goes_in_order_and_holds_up_interactions_behind_it() {
        let mut queue = Queue::new(&[log("a"), resolve("a"), accept("a"), log("a"), log("b"), resolve("b")]);
        assert_eq!(queue.next(), [0]);
        queue.answered(0);
        assert_eq!(queue.next(), [1]);
        queue.answered(1);
        assert_eq!(queue.next(), [2]);
        queue.answered(2);
        assert_eq!(queue.next(), [3, 4]);
        queue.answered(4);
        assert_eq!(queue.next(), [5]);
        queue.answered(5);
        queue.answered(3);
        assert!(queue.is_done());
    }

    #[test]
    fn what_was_sent_in_vain_goes_again() {
        let mut queue = Queue::new(&[log("a"), log("b")]);
        assert_eq!(queue.next(), [0, 1]);
        queue.again(1);
        queue.again(0);
        assert_eq!(queue.next(), [0, 1]);
    }
}
