//! The one table: what was measured, what it is measured against, and whether that is met.

use std::io::{self, Write as _};

use serde_json::{Value, json};

/// One line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) in_flight: Option<usize>,
    pub(crate) per_second: Option<f64>,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) against: Vec<Against>,
    pub(crate) note: String,
}

/// A figure that is held against a bound, or stands for itself.
#[derive(Clone, Debug)]
pub(crate) struct Against {
    /// What the figure counts: `x publish`, `MiB`.
    pub(crate) unit: &'static str,
    pub(crate) figure: f64,
    pub(crate) bound: Option<Bound>,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// What the bench must show, at least.
    Floor(f64),
    /// What the design asks for, at least.
    Goal(f64),
    /// What the design asks for, at most.
    GoalAtMost(f64),
}

impl Against {
    /// A figure without a bound.
    pub(crate) fn plain(figure: f64, unit: &'static str) -> Against {
        Against { unit, figure, bound: None }
    }

    /// A figure with a bound.
    pub(crate) fn bounded(figure: f64, unit: &'static str, bound: Bound) -> Against {
        Against { unit, figure, bound: Some(bound) }
    }

    /// Whether it is as it should be; `None` without a bound.
    fn is_met(&self) -> Option<bool> {
        self.bound.map(|bound| match bound {
            Bound::Floor(least) | Bound::Goal(least) => self.figure >= least,
            Bound::GoalAtMost(most) => self.figure <= most,
        })
    }

    fn text(&self) -> String {
        let Against { unit, figure, bound } = self;
        let shown = short(*figure);
        let Some(bound) = bound else { return format!("{shown} {unit}") };
        let what = match bound {
            Bound::Floor(least) => format!("floor {}", short(*least)),
            Bound::Goal(least) => format!("goal {}", short(*least)),
            Bound::GoalAtMost(most) => format!("goal <= {}", short(*most)),
        };
        let met = if self.is_met() == Some(true) { "met" } else { "NOT MET" };
        format!("{shown} {unit} ({what}: {met})")
    }

    fn json(&self) -> Value {
        let (kind, bound) = match self.bound {
            None => (None, None),
            Some(Bound::Floor(least)) => (Some("floor"), Some(least)),
            Some(Bound::Goal(least)) => (Some("goal"), Some(least)),
            Some(Bound::GoalAtMost(most)) => (Some("goal_at_most"), Some(most)),
        };
        json!({ "figure": self.figure, "unit": self.unit, "kind": kind, "bound": bound, "is_met": self.is_met() })
    }
}

/// All lines, in order.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// Adds a line, and says it to whoever watches.
    pub(crate) fn add(&mut self, row: Row) {
        let cells = cells(&row);
        eprintln!("{}", cells.iter().filter(|cell| !cell.is_empty()).cloned().collect::<Vec<_>>().join("  "));
        self.rows.push(row);
    }

    /// What was measured by this name with so many in flight.
    pub(crate) fn find(&self, name: &str, in_flight: usize) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name && row.in_flight == Some(in_flight))
    }

    /// Prints the table for people.
    pub(crate) fn print(&self) -> io::Result<()> {
        let head =
            ["what", "in flight", "per second", "p50 ms", "p99 ms", "against", "note"].map(str::to_owned);
        let lines: Vec<[String; 7]> = [head].into_iter().chain(self.rows.iter().map(cells)).collect();
        let width = |column: usize| lines.iter().map(|cells| cells[column].len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..7).map(width).collect();
        let mut out = io::stdout().lock();
        for cells in &lines {
            let mut line = String::new();
            for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                let is_figure = (1..5).contains(&column);
                line += &if is_figure { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Prints the table for programs.
    pub(crate) fn print_json(&self) -> io::Result<()> {
        let row = |row: &Row| {
            let Row { name, in_flight, per_second, p50_ms, p99_ms, against, note } = row;
            let against: Vec<Value> = against.iter().map(Against::json).collect();
            json!({
                "name": name, "in_flight": in_flight, "per_second": per_second, "p50_ms": p50_ms, "p99_ms": p99_ms,
                "against": against, "note": note,
            })
        };
        let rows: Vec<Value> = self.rows.iter().map(row).collect();
        writeln!(io::stdout().lock(), "{}", json!({ "rows": rows }))
    }
}

fn cells(row: &Row) -> [String; 7] {
    let Row { name, in_flight, per_second, p50_ms, p99_ms, against, note } = row;
    let figure = |figure: &Option<f64>| figure.map(short).unwrap_or_default();
    let in_flight = in_flight.map(|n| n.to_string()).unwrap_or_default();
    let against: Vec<String> = against.iter().map(Against::text).collect();
    let (p50, p99) = (figure(p50_ms), figure(p99_ms));
    [name.clone(), in_flight, figure(per_second), p50, p99, against.join(", "), note.clone()]
}

/// A figure with as many digits as say something.
fn short(figure: f64) -> String {
    if figure >= 100.0 {
        let whole = format!("{figure:.0}");
        let mut grouped = String::new();
        for (n, digit) in whole.chars().enumerate() {
            if n > 0 && (whole.len() - n).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        grouped
    } else if figure >= 10.0 || figure.fract() == 0.0 {
        format!("{figure:.1}")
    } else {
        format!("{figure:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let shown = [0.123, 2.0, 12.34, 512.0, 1_234_567.8].map(short);
        assert_eq!(shown, ["0.12", "2.0", "12.3", "512", "1,234,568"]);
    }

    #[test]
    fn a_bound_says_whether_it_is_met() {
        let says = |figure, bound| Against::bounded(figure, "x publish", bound).text();
        assert_eq!(says(2.5, Bound::Floor(2.0)), "2.50 x publish (floor 2.0: met)");
        assert_eq!(says(0.3, Bound::Goal(0.4)), "0.30 x publish (goal 0.40: NOT MET)");
        assert_eq!(says(0.3, Bound::GoalAtMost(0.4)), "0.30 x publish (goal <= 0.40: met)");
    }
}
