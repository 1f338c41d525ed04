//! A table for people: columns as wide as what stands in them, and a last one that is cut where the screen ends.
//! It knows nothing of what the cells say.

/// Columns stand this far apart.
const GAP: &str = "   ";

/// A table, line by line. The last column is cut where it would leave the screen; the others stay whole.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>], width: Option<usize>) -> Vec<String> {
    let head: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
    let all = || std::iter::once(&head).chain(rows);
    let widths: Vec<usize> = (0..head.len())
        .map(|at| all().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    all().map(|row| line(row, &widths, width)).collect()
}

fn line(row: &[String], widths: &[usize], width: Option<usize>) -> String {
    let mut line = String::new();
    for (at, (cell, &wide)) in row.iter().zip(widths).enumerate() {
        if at > 0 {
            line.push_str(GAP);
        }
        line.push_str(cell);
        if at + 1 < widths.len() {
            line.extend(std::iter::repeat_n(' ', wide.saturating_sub(cell.chars().count())));
        }
    }
    let line = line.trim_end();
    match width {
        Some(width) if line.chars().count() > width => {
            line.chars().take(width.saturating_sub(1)).chain(std::iter::once('…')).collect()
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_of_a_table_is_cut_and_nothing_trails() {
        let rows = vec![
            vec!["web".to_owned(), "a long story without an end".to_owned()],
            vec!["database".to_owned(), String::new()],
        ];
        let lines = table(&["NAME", "STORY"], &rows, Some(20));
        assert_eq!(lines, ["NAME       STORY", "web        a long s…", "database"]);
        assert_eq!(table(&["NAME", "STORY"], &rows, None)[1], "web        a long story without an end");
    }
}
