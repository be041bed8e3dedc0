//! A table of orders as CSV text, aggregated in parts.

use std::fmt::Write as _;
use std::ops::{ControlFlow, Range};

use csv::ByteRecord;

use super::{right, wrong};
use crate::chance::Rng;
use crate::event::ErrorKind;
use crate::text;
use crate::workload::{TaskContext, TaskFault, TaskResult};

/// The categories that an order can be of.
const CATEGORIES: [&str; 6] = ["books", "garden", "kitchen", "music", "toys", "travel"];

/// What was ordered; a comma makes a field that needs its quotes.
const PRODUCTS: [&str; 5] = ["lamp", "\"chair, oak\"", "notebook", "\"kettle, \"\"retro\"\"\"", "globe"];

/// How many rows are read between two checkpoints.
const AT_ONCE: u64 = 128;

/// How long the text may grow, in bytes, before parts begin to be used more than once.
const LONGEST: usize = 128 << 20;

/// What the orders of one category add up to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Group {
    count: u64,
    /// In hundredths, so that sums are exact in whatever order they are made.
    sum: u64,
}

/// What orders add up to, by category.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Totals([Group; CATEGORIES.len()]);

impl Totals {
    pub(super) fn add(&mut self, other: &Totals) {
        for (group, more) in self.0.iter_mut().zip(&other.0) {
            group.count += more.count;
            group.sum += more.sum;
        }
    }

    /// The totals in words: `2,000 rows in 6 categories, mean 49.87 (books 51.02 to toys 48.90)`.
    fn say(&self) -> String {
        let mut all = Group::default();
        let mut means: Vec<(u64, &str)> = Vec::new();
        for (group, category) in self.0.iter().zip(CATEGORIES).filter(|(group, _)| group.count > 0) {
            all.count += group.count;
            all.sum += group.sum;
            means.push((group.mean(), category));
        }
        let rows = text::count(all.count);
        match (means.iter().min(), means.iter().max()) {
            (Some((low, cheap)), Some((high, dear))) => format!(
                "{rows} rows in {} categories, mean {}, from {cheap} {} to {dear} {}",
                means.len(),
                decimal(all.mean()),
                decimal(*low),
                decimal(*high)
            ),
            _ => format!("{rows} rows"),
        }
    }
}

impl Group {
    /// In hundredths, rounded.
    fn mean(self) -> u64 {
        (self.sum + self.count / 2) / self.count.max(1)
    }
}

/// Hundredths with their point: `49.87`.
fn decimal(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// An amount such as `49.87` in hundredths.
fn hundredths(field: &[u8]) -> Option<u64> {
    let (whole, rest) = std::str::from_utf8(field).ok()?.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if rest.len() != 2 || !digits(whole) || !digits(rest) {
        return None;
    }
    whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(rest.parse().ok()?)
}

/// Which rows one task aggregates, and what they add up to.
#[derive(Debug)]
struct Part {
    bytes: Range<usize>,
    totals: Totals,
}

/// One text with a header, which all tasks share, and its parts.
#[derive(Debug)]
pub(super) struct Table {
    text: String,
    parts: Vec<Part>,
}

impl Table {
    /// `rows` rows for each of `tasks`. When the text would grow beyond [`LONGEST`], its parts serve several
    /// tasks in turn: as much work, in less memory.
    pub(super) fn prepare<B>(
        rows: u32,
        tasks: usize,
        seed: u64,
        go_on: &dyn Fn() -> ControlFlow<B>,
    ) -> ControlFlow<B, Table> {
        let mut text = "order,product,category,amount\n".to_owned();
        let mut parts: Vec<Part> = Vec::new();
        let mut rng = Rng::new(seed, 0);
        let mut order = 0_u64;
        while parts.is_empty() || parts.len() < tasks && text.len() < LONGEST {
            go_on()?;
            let start = text.len();
            let mut totals = Totals::default();
            for row in 0..rows {
                if row % 4096 == 4095 {
                    go_on()?;
                }
                order += 1;
                let (product, category) = (rng.below(PRODUCTS.len()), rng.below(CATEGORIES.len()));
                let amount = 100 + rng.below(9_900) as u64;
                let (name, kind) = (PRODUCTS[product], CATEGORIES[category]);
                let _ = writeln!(text, "{order},{name},{kind},{}", decimal(amount));
                totals.0[category].count += 1;
                totals.0[category].sum += amount;
            }
            parts.push(Part { bytes: start..text.len(), totals });
        }
        ControlFlow::Continue(Table { text, parts })
    }

    pub(super) fn perform(&self, context: &TaskContext) -> Result<(TaskResult, Totals), TaskFault> {
        let part = self.part(context.task().index());
        let bytes = &self.text.as_bytes()[part.bytes.clone()];
        let unreadable =
            |why: &str| TaskFault::failed(ErrorKind::Wrong, format!("the table can't be read: {why}"));
        let (category, amount) = self.columns().ok_or_else(|| unreadable("a column is missing"))?;
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
        let mut row = ByteRecord::new();
        let mut totals = Totals::default();
        context.checkpoint()?;
        while reader.read_byte_record(&mut row).map_err(|error| unreadable(&error.to_string()))? {
            if reader.position().record().is_multiple_of(AT_ONCE) {
                context.set_bytes(reader.position().byte());
                context.checkpoint()?;
            }
            let place = row
                .get(category)
                .and_then(|name| CATEGORIES.iter().position(|known| known.as_bytes() == name));
            let place = place.ok_or_else(|| unreadable("a row is of no known category"))?;
            let amount = row.get(amount).and_then(hundredths);
            totals.0[place].count += 1;
            totals.0[place].sum += amount.ok_or_else(|| unreadable("an amount is no number"))?;
        }
        if totals == part.totals {
            Ok((right(bytes.len() as u64, totals.say()), totals))
        } else {
            Err(wrong(&totals.say(), &part.totals.say()))
        }
    }

    /// What the parts of all of `tasks` add up to.
    pub(super) fn grand_total(&self, tasks: usize) -> Totals {
        (0..tasks).fold(Totals::default(), |mut sum, task| {
            sum.add(&self.part(task).totals);
            sum
        })
    }

    fn part(&self, task: usize) -> &Part {
        &self.parts[task % self.parts.len()]
    }

    /// Where the header says that category and amount are.
    fn columns(&self) -> Option<(usize, usize)> {
        let header = self.text.lines().next()?;
        let column = |name| header.split(',').position(|column| column == name);
        Some((column("category")?, column("amount")?))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::workload::compute::testing::context;

    fn table(rows: u32, tasks: usize, seed: u64) -> Table {
        let ControlFlow::<Infallible, _>::Continue(table) =
            Table::prepare(rows, tasks, seed, &|| ControlFlow::Continue(()));
        table
    }

    #[test]
    fn the_parts_make_the_whole() -> Result<(), TaskFault> {
        let table = table(200, 3, 1);
        assert_eq!(table.text.lines().count(), 1 + 3 * 200);
        let mut sum = Totals::default();
        for task in 0..3 {
            let (result, totals) = table.perform(&context(task, false))?;
            assert_eq!(result.bytes, table.parts[task].bytes.len() as u64);
            assert!(result.result.is_some_and(|said| said.starts_with("200 rows in 6 categories, mean ")));
            sum.add(&totals);
        }
        assert_eq!(sum, table.grand_total(3));
        assert_eq!(sum.0.iter().map(|group| group.count).sum::<u64>(), 600);
        Ok(())
    }

    #[test]
    fn a_text_that_would_be_too_long_serves_its_parts_in_turn() -> Result<(), TaskFault> {
        let table = Table { parts: table(10, 2, 1).parts, text: table(10, 2, 1).text };
        assert_eq!(table.part(4).bytes, table.part(0).bytes);
        let mut sum = Totals::default();
        for task in 0..5 {
            sum.add(&table.perform(&context(task, false))?.1);
        }
        assert_eq!(sum, table.grand_total(5));
        Ok(())
    }

    #[test]
    fn what_the_text_should_not_say_is_told() {
        for (good, bad) in
            [(".", ";"), ("toys", "tyos"), ("1", "2"), ("amount", "price"), ("garden", "kitchen")]
        {
            let table = table(100, 1, 1);
            let broken = Table { text: table.text.replace(good, bad), ..table };
            let bytes = broken.parts[0].bytes.start..broken.text.len();
            let totals = broken.parts[0].totals.clone();
            let broken = Table { parts: vec![Part { bytes, totals }], ..broken };
            let fault = broken.perform(&context(0, false));
            assert!(
                matches!(&fault, Err(TaskFault::Failed(error)) if error.kind == ErrorKind::Wrong),
                "{bad}: {fault:?}"
            );
        }
    }

    #[test]
    fn amounts_have_two_decimals() {
        assert_eq!(hundredths(b"49.87"), Some(4_987));
        assert_eq!(hundredths(b"0.05"), Some(5));
        for bad in ["", "1", "1.2", "1.234", "-1.00", "+1.00", "1.-5", "99999999999999999999.00", "1,00"] {
            assert_eq!(hundredths(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(decimal(4_907), "49.07");
    }
}
