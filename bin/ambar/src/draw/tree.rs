//! A lineage as a tree, and who gets how much of one credit of royalty.
//!
//! A version that hangs in the tree twice is drawn once; where it comes again it is only
//! named, so that a graph with many ways does not explode and one with a cycle ends.

use crate::paint::{line, short};
use crate::table::{Side, Table};
use ambar_base::{Price, Weight};
use ambar_node::api::dto::{Capsule, LineageEdge, LineageGraph};
use std::collections::BTreeSet;

/// Longest name drawn, characters.
const NAME_CHARS_MAX: usize = 40;

/// The tree below the graph's root, one version per line.
pub fn tree(graph: &LineageGraph) -> String {
    let mut drawing = Drawing { graph, seen: BTreeSet::new(), lines: Vec::new() };
    drawing.seen.insert(&graph.root);
    drawing.lines.push(drawing.label(&graph.root));
    drawing.below(&graph.root, "");
    drawing.lines.join("\n") + "\n"
}

struct Drawing<'a> {
    graph: &'a LineageGraph,
    seen: BTreeSet<&'a str>,
    lines: Vec<String>,
}

impl<'a> Drawing<'a> {
    fn below(&mut self, id: &str, indent: &str) {
        let graph = self.graph;
        let edges: Vec<_> = graph.edges.iter().filter(|edge| edge.from == id).collect();
        for (at, edge) in edges.iter().enumerate() {
            let last = at + 1 == edges.len();
            let (turn, next) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let label = self.label(&edge.to);
            let fresh = self.seen.insert(&edge.to);
            let again = if fresh { "" } else { " (drawn above)" };
            self.lines.push(format!("{indent}{turn}{}: {label}{again}", relation(edge)));
            if fresh {
                self.below(&edge.to, &format!("{indent}{next}"));
            }
        }
    }

    fn label(&self, id: &str) -> String {
        match self.graph.versions.iter().find(|version| version.id == id) {
            None => short(id),
            Some(version) => {
                let name = line(&version.name, NAME_CHARS_MAX);
                format!("{name} [{}] {}", version.kind, short(id))
            }
        }
    }
}

/// What an edge says, in words.
pub fn relation(edge: &LineageEdge) -> String {
    match (edge.kind.as_str(), &edge.share, &edge.role) {
        ("derived_from", Some(share), _) => format!("derived from, {share} of the royalty"),
        ("uses", _, Some(role)) => format!("uses as {role}"),
        ("previous", ..) => "continues".to_owned(),
        (kind, ..) => kind.replace('_', " "),
    }
}

/// Where one credit of royalty of each capsule goes.
pub fn royalty(capsules: &[Capsule]) -> String {
    let columns = [
        ("of one credit to", Side::Left),
        ("goes to", Side::Left),
        ("because of", Side::Left),
        ("credits", Side::Right),
    ];
    let mut table = Table::new(&columns);
    for capsule in capsules {
        for entry in &capsule.plan {
            let source = capsules.iter().find(|known| known.id == entry.capsule);
            let source = source.map_or_else(|| short(&entry.capsule), name);
            let (to, why) = match entry.kind.as_str() {
                "datanet" => ("contributors to the call".into(), format!("records of {source}")),
                _ => (short(&entry.account), format!("royalty line {} of {source}", entry.number)),
            };
            table.row([name(capsule), to, why, credit(&entry.weight)]);
        }
    }
    table.print("no royalty is due")
}

fn name(capsule: &Capsule) -> String {
    line(&capsule.name, NAME_CHARS_MAX)
}

/// A part of one credit; what cannot be read is shown as it came.
fn credit(weight: &str) -> String {
    weight.parse().map_or_else(
        |_| line(weight, NAME_CHARS_MAX),
        |part: Weight| Price(part.0.into()).to_string(),
    )
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use ambar_node::api::dto::LineageVersion;

    pub fn graph(edges: &[(&str, &str, &str)]) -> LineageGraph {
        let ids: BTreeSet<_> = edges.iter().flat_map(|(from, to, _)| [*from, *to]).collect();
        let version = |id: &&str| LineageVersion {
            id: (*id).into(),
            kind: "model".into(),
            name: format!("name \"{id}\""),
            owner: "owner".into(),
        };
        let edge = |(from, to, kind): &(&str, &str, &str)| LineageEdge {
            from: (*from).into(),
            to: (*to).into(),
            kind: (*kind).into(),
            share: (*kind == "derived_from").then(|| "15%".into()),
            role: (*kind == "uses").then(|| "model".into()),
        };
        LineageGraph {
            root: edges[0].0.into(),
            versions: ids.iter().map(version).collect(),
            edges: edges.iter().map(edge).collect(),
        }
    }

    #[test]
    fn a_diamond_is_drawn_once() {
        let graph = graph(&[
            ("a", "b", "uses"),
            ("a", "c", "previous"),
            ("b", "d", "derived_from"),
            ("c", "d", "derived_from"),
        ]);
        let expect = "\
name \"a\" [model] a
├─ uses as model: name \"b\" [model] b
│  └─ derived from, 15% of the royalty: name \"d\" [model] d
└─ continues: name \"c\" [model] c
   └─ derived from, 15% of the royalty: name \"d\" [model] d (drawn above)
";
        assert_eq!(tree(&graph), expect);
    }

    #[test]
    fn a_cycle_ends() {
        let text = tree(&graph(&[("a", "b", "uses"), ("b", "a", "uses")]));
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn parts_of_one_credit() {
        assert_eq!(credit("15%"), "0.150000000");
        assert_eq!(credit("much"), "much");
    }
}
