//! One table of the ledger: read, judged, counted and written. Called by `ledger` only; pure.
//! The last two columns of every table are `state` and `held_by`; those before name the item.

use std::collections::BTreeSet;

use super::Test;
use crate::test_index;

const OWN_COLUMNS: [&str; 2] = ["state", "held_by"];

/// What we make of an upstream item.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum State {
    Held,
    Planned,
    /// With the reason.
    NotApplicable(String),
}

#[derive(Debug)]
pub(super) struct Row {
    /// The item, a value for each column but the last two.
    pub(super) item: Vec<String>,
    pub(super) state: State,
    /// References to tests, as `test_index` understands them.
    pub(super) held_by: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Table {
    /// The file's name without `.tsv`.
    pub(super) name: String,
    columns: Vec<String>,
    pub(super) rows: Vec<Row>,
}

#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub(super) struct Count {
    pub(super) held: usize,
    pub(super) planned: usize,
    pub(super) not_applicable: usize,
}

impl Table {
    /// An error names file and line.
    pub(super) fn parse(name: &str, text: &str) -> Result<Table, String> {
        let mut lines = text.lines().enumerate();
        let columns = lines.next().map_or("", |(_, header)| header);
        let columns: Vec<String> = columns.split('\t').map(str::to_owned).collect();
        let Some(items) = columns.strip_suffix(&OWN_COLUMNS.map(str::to_owned)) else {
            return Err(format!("{name}.tsv:1: the last columns are not {OWN_COLUMNS:?}"));
        };
        let row = |(number, line): (usize, &str)| {
            parse_row(line, items.len())
                .map_err(|fault| format!("{name}.tsv:{}: {fault}", number + 1))
        };
        let rows = lines.map(row).collect::<Result<Vec<Row>, String>>()?;
        Ok(Table { name: name.to_owned(), columns, rows })
    }

    pub(super) fn text(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let state = match &row.state {
                State::Held => "held".to_owned(),
                State::Planned => "planned".to_owned(),
                State::NotApplicable(why) => format!("not applicable: {why}"),
            };
            [row.item.join("\t"), state, row.held_by.join(" ")].join("\t")
        });
        let lines = [self.columns.join("\t")].into_iter().chain(rows);
        lines.map(|line| line + "\n").collect()
    }

    /// The file's name as words.
    pub(super) fn title(&self) -> String {
        self.name.replace('-', " ")
    }

    /// Everything that is not true or not clear, each with file and line.
    pub(super) fn faults(&self, tests: &[Test]) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut faults = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            let mut report =
                |fault: String| faults.push(format!("{}.tsv:{}: {fault}", self.name, number + 2));
            if !seen.insert(&row.item) {
                report(format!("listed twice: {}", row.item.join(" ")));
            }
            if (row.state == State::Held) == row.held_by.is_empty() {
                report("a line names a test if and only if it is held".to_owned());
            }
            for reference in &row.held_by {
                match test_index::find(tests, reference).len() {
                    1 => {}
                    0 => report(format!("no test is named {reference}")),
                    count => report(format!("{count} tests are named {reference}")),
                }
            }
        }
        faults
    }

    pub(super) fn count(&self) -> Count {
        self.rows.iter().fold(Count::default(), Count::with)
    }

    /// Counts by the first column, in the order of the table.
    pub(super) fn areas(&self) -> Vec<(&str, Count)> {
        let mut areas: Vec<(&str, Count)> = Vec::new();
        for row in &self.rows {
            let area = row.item[0].as_str();
            match areas.iter_mut().find(|(name, _)| *name == area) {
                Some((_, count)) => *count = count.with(row),
                None => areas.push((area, Count::default().with(row))),
            }
        }
        areas
    }
}

impl Count {
    fn with(mut self, row: &Row) -> Count {
        match row.state {
            State::Held => self.held += 1,
            State::Planned => self.planned += 1,
            State::NotApplicable(_) => self.not_applicable += 1,
        }
        self
    }
}

fn parse_row(line: &str, items: usize) -> Result<Row, String> {
    let fields: Vec<&str> = line.split('\t').collect();
    if fields.len() != items + OWN_COLUMNS.len() {
        return Err(format!("{} columns, not {}", fields.len(), items + OWN_COLUMNS.len()));
    }
    let state = match fields[items] {
        "held" => State::Held,
        "planned" => State::Planned,
        other => match other.strip_prefix("not applicable: ") {
            Some(why) if !why.trim().is_empty() => State::NotApplicable(why.to_owned()),
            _ => return Err(format!("held, planned or \"not applicable: why\", not {other:?}")),
        },
    };
    let owned = |text: &&str| (*text).to_owned();
    let held_by = fields[items + 1].split_whitespace().map(str::to_owned).collect();
    Ok(Row { item: fields[..items].iter().map(owned).collect(), state, held_by })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "area\titem\tstate\theld_by\na\tx\theld\tf m::g\na\ty\tplanned\t\n\
                        b\tz\tnot applicable: no C++ here\t\n";

    fn table(text: &str) -> Table {
        Table::parse("some-things", text).expect("a good table")
    }

    fn test(path: &[&str]) -> Test {
        Test { path: path.iter().map(|part| (*part).to_owned()).collect() }
    }

    #[test]
    fn a_table_is_read_counted_and_written() {
        let table = table(TEXT);
        assert_eq!(table.text(), TEXT);
        assert_eq!(table.count(), Count { held: 1, planned: 1, not_applicable: 1 });
        assert_eq!(table.areas()[0], ("a", Count { held: 1, planned: 1, not_applicable: 0 }));
        assert_eq!(table.title(), "some things");
    }

    #[test]
    fn a_claim_needs_its_test() {
        let faults = |tests: &[Test]| table(TEXT).faults(tests);
        let (f, g) = (test(&["c", "f"]), test(&["c", "m", "g"]));
        assert!(faults(&[f, g]).is_empty());
        assert_eq!(faults(&[test(&["c", "f"])]), ["some-things.tsv:2: no test is named m::g"]);
        let twice = [test(&["c", "f"]), test(&["d", "f"]), test(&["c", "m", "g"])];
        assert_eq!(faults(&twice), ["some-things.tsv:2: 2 tests are named f"]);
    }

    #[test]
    fn a_held_line_names_a_test_and_no_other_does() {
        let faults = |row: &str| table(&format!("item\tstate\theld_by\n{row}\n")).faults(&[]).len();
        assert_eq!(faults("x\theld\t"), 1);
        assert_eq!(faults("x\tplanned\t"), 0);
        assert_eq!(faults("x\tplanned\t\nx\tplanned\t"), 1);
        assert_eq!(faults("x\tplanned\tf"), 2);
    }

    #[test]
    fn bad_tables_are_refused_with_their_line() {
        let check = |text: &str, expected: &str| {
            let fault = Table::parse("t", text).expect_err("a bad table");
            assert!(fault.starts_with(expected), "{fault}");
        };
        check("", "t.tsv:1:");
        check("item\tstate\n", "t.tsv:1:");
        check("item\tstate\theld_by\nx\tplanned\n", "t.tsv:2: 2 columns");
        check("item\tstate\theld_by\nx\tplanned\t\ny\tdone\t\n", "t.tsv:3: held, planned");
        check("item\tstate\theld_by\nx\tnot applicable: \t\n", "t.tsv:2: held, planned");
    }
}
