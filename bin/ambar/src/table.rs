//! Tables for people: columns as wide as their widest cell, numbers to the right.

/// Blanks between two columns.
const GAP: &str = "  ";

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Texts.
    Left,
    /// Numbers, so that their points stand below one another.
    Right,
}

/// Rows under a heading.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<(&'static str, Side)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: &[(&'static str, Side)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row. Cells that are missing stay empty.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// The lines: heading, rule and rows; without rows only `empty`.
    pub fn print(&self, empty: &str) -> String {
        if self.rows.is_empty() {
            return format!("{empty}\n");
        }
        let widths: Vec<usize> = (0..self.columns.len()).map(|at| self.width(at)).collect();
        let heading: Vec<String> = self.columns.iter().map(|(name, _)| (*name).into()).collect();
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        let rows = [&heading, &rule].into_iter().chain(&self.rows);
        rows.map(|row| self.line(row, &widths)).collect()
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| length(cell));
        cells.chain([length(self.columns[column].0)]).max().unwrap_or_default()
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let cells = self.columns.iter().zip(widths).enumerate().map(|(at, ((_, side), width))| {
            let cell = row.get(at).map_or("", String::as_str);
            let blanks = " ".repeat(width - length(cell));
            match side {
                Side::Left => format!("{cell}{blanks}"),
                Side::Right => format!("{blanks}{cell}"),
            }
        });
        let line = cells.collect::<Vec<_>>().join(GAP);
        format!("{}\n", line.trim_end())
    }
}

fn length(cell: &str) -> usize {
    cell.chars().count()
}

/// Two columns without a heading: names and values.
pub fn pairs(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    rows.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&[("who", Side::Left), ("amount", Side::Right)]);
        assert_eq!(table.print("nobody"), "nobody\n");
        table.row(["Zoë".into(), "10.5".into()]);
        table.row(["James Monroe".into(), "0.25".into()]);
        let expect = "\
who           amount
------------  ------
Zoë             10.5
James Monroe    0.25
";
        assert_eq!(table.print("nobody"), expect);
    }

    #[test]
    fn names_and_values() {
        assert_eq!(pairs(&[("id", "x".into()), ("owner", "y".into())]), "id     x\nowner  y\n");
    }
}
