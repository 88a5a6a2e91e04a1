//! A lineage in the language of Graphviz (<https://graphviz.org/doc/info/lang.html>).

use super::tree::relation;
use crate::paint::short;
use ambar_node::api::dto::LineageGraph;

/// The graph; arrows lead from a version to what it hangs on.
pub fn dot(graph: &LineageGraph) -> String {
    let mut out = "digraph lineage {\n  rankdir=BT;\n  node [shape=box];\n".to_owned();
    for version in &graph.versions {
        let label = format!("{}\n{}\n{}", version.name, version.kind, short(&version.id));
        out += &format!("  {} [label={}];\n", quoted(&version.id), quoted(&label));
    }
    for edge in &graph.edges {
        let label = quoted(&relation(edge));
        out += &format!("  {} -> {} [label={label}];\n", quoted(&edge.from), quoted(&edge.to));
    }
    out + "}\n"
}

/// A quoted text of the language: backslashes and quotes are escaped, line ends written.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        let text = dot(&crate::draw::tree::tests::graph(&[("a", "b", "derived_from")]));
        let expect = r#"digraph lineage {
  rankdir=BT;
  node [shape=box];
  "a" [label="name \"a\"\nmodel\na"];
  "b" [label="name \"b\"\nmodel\nb"];
  "a" -> "b" [label="derived from, 15% of the royalty"];
}
"#;
        assert_eq!(text, expect);
        assert_eq!(quoted("\\\""), r#""\\\"""#);
    }
}
