//! Counts primes the long way, and knows the count from a short one.

use std::ops::ControlFlow;

use super::{right, wrong};
use crate::text;
use crate::workload::{TaskContext, TaskFault, TaskResult};

/// How many numbers are tried between two checkpoints: one below a billion costs at most 16,000 divisions.
const AT_ONCE: u64 = 64;

/// The primes below a number.
#[derive(Debug)]
pub(super) struct Primes {
    below: u64,
    expected: u64,
}

impl Primes {
    pub(super) fn prepare<B>(below: u64, go_on: &dyn Fn() -> ControlFlow<B>) -> ControlFlow<B, Primes> {
        ControlFlow::Continue(Primes { below, expected: legendre(below, go_on)? })
    }

    pub(super) fn perform(&self, context: &TaskContext) -> Result<TaskResult, TaskFault> {
        let mut found = 0;
        for from in (0..self.below).step_by(AT_ONCE as usize) {
            context.checkpoint()?;
            let to = self.below.min(from + AT_ONCE);
            found += (from..to).filter(|&number| is_prime(number)).count() as u64;
        }
        let said = |count| format!("{} primes", text::count(count));
        if found == self.expected {
            Ok(right(0, said(found)))
        } else {
            Err(wrong(&said(found), &said(self.expected)))
        }
    }
}

/// Trial division by the odd numbers up to the root, the way everybody writes it first.
fn is_prime(number: u64) -> bool {
    if number.is_multiple_of(2) {
        return number == 2;
    }
    let mut divisor = 3;
    while divisor * divisor <= number {
        if number.is_multiple_of(divisor) {
            return false;
        }
        divisor += 2;
    }
    number > 1
}

/// How many primes are below a number, without looking at most of the numbers: Legendre's count of what is
/// left when the multiples of one prime after the other are struck out, kept only for the values that
/// ⌊n / i⌋ takes (Lucy_Hedgehog's form, in the forum of Project Euler's problem 10). About n^¾ steps.
fn legendre<B>(below: u64, go_on: &dyn Fn() -> ControlFlow<B>) -> ControlFlow<B, u64> {
    let most = below.saturating_sub(1);
    if most < 2 {
        return ControlFlow::Continue(0);
    }
    let root = most.isqrt();
    // What is left of 2..=i, and of 2..=most/i.
    let mut small: Vec<u64> = (0..=root).map(|i| i.saturating_sub(1)).collect();
    let mut large: Vec<u64> = (0..=root).map(|i| most / i.max(1) - 1).collect();
    for prime in 2..=root {
        go_on()?;
        let at = |i: u64| i as usize;
        let before = small[at(prime - 1)];
        if small[at(prime)] == before {
            continue;
        }
        let square = prime * prime;
        for i in 1..=root.min(most / square) {
            let left = match i * prime <= root {
                true => large[at(i * prime)],
                false => small[at(most / (i * prime))],
            };
            large[at(i)] -= left - before;
        }
        for i in (square..=root).rev() {
            small[at(i)] -= small[at(i / prime)] - before;
        }
    }
    ControlFlow::Continue(large[1])
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::event::ErrorKind;
    use crate::workload::compute::testing::context;

    fn counted(below: u64) -> u64 {
        let ControlFlow::<Infallible, _>::Continue(count) = legendre(below, &|| ControlFlow::Continue(()));
        count
    }

    #[test]
    fn the_short_count_is_the_known_one() {
        // OEIS A006880: the primes below powers of ten; and below two million.
        let known = [
            (10, 4),
            (100, 25),
            (1_000, 168),
            (10_000, 1_229),
            (100_000, 9_592),
            (1_000_000, 78_498),
            (10_000_000, 664_579),
            (2_000_000, 148_933),
        ];
        for (below, primes) in known {
            assert_eq!(counted(below), primes, "below {below}");
        }
    }

    #[test]
    fn both_ways_count_the_same() {
        let mut primes = 0;
        for below in 0..3_000 {
            assert_eq!(counted(below), primes, "below {below}");
            primes += u64::from(is_prime(below));
        }
    }

    #[test]
    fn a_wrong_count_is_told() {
        let primes = Primes { below: 1_000, expected: 169 };
        let fault = primes.perform(&context(0, false));
        assert!(
            matches!(&fault, Err(TaskFault::Failed(error)) if error.kind == ErrorKind::Wrong
                && error.message.starts_with("the result is 168 primes and must be 169 primes")),
            "{fault:?}"
        );
    }
}
