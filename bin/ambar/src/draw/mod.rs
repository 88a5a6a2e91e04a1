//! Pictures in text: the lineage tree, Graphviz, and traced answers. Knows no node: what is
//! drawn is handed in.

pub mod dot;
pub mod traced;
pub mod tree;
