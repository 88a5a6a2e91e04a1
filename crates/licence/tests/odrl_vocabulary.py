"""Expands a JSON-LD file and checks its IRIs against the closed ODRL 2.2 vocabulary.

Usage: odrl_vocabulary.py FILE

Needs rdflib (PyPI). Exits 1 and names every IRI that is in the namespace of ODRL and not in
the vocabulary, or outside odrl, rdf, xsd, dct, urn:ambar and did:key, and every key that the context
does not define (a processor would drop it without a word); 2 if the file cannot be read
as JSON-LD or says nothing.
"""

import json
import sys

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCTERMS, ODRL2, RDF, XSD

ODRL = str(ODRL2)
VOCABULARY = {ODRL + name for name in ODRL2.__annotations__}
OTHERS = (str(RDF), str(XSD), str(DCTERMS), "urn:ambar:", "did:key:")


def iris(graph):
    """Every IRI of the graph, datatypes included."""
    for triple in graph:
        for node in triple:
            if isinstance(node, URIRef):
                yield str(node)
            elif isinstance(node, Literal) and node.datatype is not None:
                yield str(node.datatype)


def problem(iri):
    """Why an IRI may not be there, or nothing."""
    if iri.startswith(ODRL):
        return None if iri in VOCABULARY else "not in the ODRL 2.2 vocabulary"
    return None if iri.startswith(OTHERS) else "outside odrl, rdf, xsd, dct, urn:ambar and did:key"


def undefined(node, context):
    """Every key below a node that expansion would drop."""
    if isinstance(node, list):
        for item in node:
            yield from undefined(item, context)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key.startswith("@"):
                continue
            if key.split(":")[0] not in context:
                yield key
            yield from undefined(value, context)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    graph = Graph()
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            document = json.load(file)
        graph.parse(data=json.dumps(document), format="json-ld")
    except Exception as error:
        print(f"{sys.argv[1]}: {error}", file=sys.stderr)
        return 2
    found = sorted(set(iris(graph)))
    if not found:
        print(f"{sys.argv[1]}: no statements", file=sys.stderr)
        return 2
    wrong = [(iri, why) for iri in found if (why := problem(iri))]
    context = document.get("@context", {})
    wrong += [(key, "not defined in @context") for key in sorted(set(undefined(document, context)))]
    for iri, why in wrong:
        print(f"{iri}: {why}")
    if wrong:
        return 1
    odrl = sum(iri.startswith(ODRL) for iri in found)
    print(f"{len(graph)} statements, {len(found)} IRIs, {odrl} of them ODRL 2.2: all known")
    return 0


if __name__ == "__main__":
    sys.exit(main())
