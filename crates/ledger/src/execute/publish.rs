//! Publishing a capsule version: whose line it continues, what its parents demand, under
//! which grants it calls its components, and who its royalty goes to.

use super::accounts::{escrow, number_of};
use super::lineage::{self, Parents};
use super::ownership::version_of;
use crate::execution::Party;
use crate::history::History;
use crate::key::Key;
use crate::object::{Account, Datanet, Grant, Line, Royalty, Version};
use crate::plan::{self, Own};
use crate::refusal::{Refusal, Stop};
use crate::result::{OperationResult, VersionResult};
use crate::transaction::Publish;
use crate::view::{View, stored_terms};
use ambar_attribution::Method;
use ambar_base::{Cid, ErrorCode, Moment, Weight};
use ambar_capsule::manifest::{COMPONENTS_MAX, DatanetDeclaration, PARENTS_MAX};
use ambar_capsule::{Contributor, ContributorTable, Manifest, Plan};
use ambar_licence::{Right, Terms};

/// Most levels of components below a capsule.
pub const COMPONENT_DEPTH_MAX: u16 = 8;

/// What is known of a version once everything it names was read.
struct Draft<'a> {
    id: Cid,
    number: u64,
    manifest: &'a Manifest,
    terms: Terms,
}

pub(super) fn publish(
    view: &mut View<'_>,
    party: &Party,
    record: &Publish,
) -> Result<OperationResult, Stop> {
    let manifest = Manifest::decode(&record.manifest.bytes).map_err(|error| Refusal::of(&error))?;
    let id = record.manifest.id();
    require(view, party, record, &manifest)?;
    if view.get::<u64>(&Key::VersionNumber(id))?.is_some() {
        let message = format!("capsule {id} is published");
        return Err(Refusal::new(ErrorCode::NameTaken, message).into());
    }
    check_creator(view, party, record, &manifest)?;
    let terms = known_terms(view, manifest.terms, record.terms.as_deref())?;
    let number = view.number(|numbers| &mut numbers.versions)?;
    let draft = Draft { id, number, manifest: &manifest, terms };
    let (line_number, mut line) = line_of(view, party, &draft)?;
    let Parents { plans, ancestry, least } =
        lineage::parents(view, party, &manifest, &draft.terms, &record.derives)?;
    let (uses, depth) = components_of(view, party, record, &manifest)?;
    datanet_of(view, record, &draft, &line.first)?;
    let version = Version {
        id,
        creator: party.account,
        line: line_number,
        terms: manifest.terms,
        plan: plan_of(&draft, &line, &plans)?,
        uses,
        former_uses: None,
        depth,
        datanet: manifest.datanet.is_some(),
        height: view.block.height,
        least,
    };
    line.head = number;
    view.put(&Key::Line(line_number), &line);
    view.put(&Key::Version(number), &version);
    view.put(&Key::VersionNumber(id), &number);
    view.put(&Key::Manifest(number), &record.manifest);
    if !ancestry.ancestors.is_empty() {
        view.put(&Key::Ancestry(number), &ancestry);
    }
    Ok(OperationResult::Version(VersionResult { number, id, line: line_number }))
}

/// Asks for what a publication refers to: by what it names, by the numbers of that, and by
/// the lines of those.
fn require(
    view: &View<'_>,
    party: &Party,
    record: &Publish,
    manifest: &Manifest,
) -> Result<(), Stop> {
    let named: Vec<Cid> = named(manifest).collect();
    let own = [Key::VersionNumber(record.manifest.id()), Key::Terms(manifest.terms)];
    let holders = manifest.royalty.iter().map(|royalty| royalty.holder);
    let treasury = manifest.datanet.iter().map(|datanet| datanet.treasury);
    let components = record.grants.iter().take(COMPONENTS_MAX);
    let grants = components.chain(record.derives.iter().take(PARENTS_MAX));
    let grants = grants.map(|number| Key::Grant(*number));
    let first = own.into_iter().chain(named.iter().map(|id| Key::VersionNumber(*id)));
    let accounts = holders.chain(treasury).map(Key::AccountNumber);
    view.require(first.chain(accounts).chain(grants).chain([Key::Account(party.account)]))?;
    let number = |id: &Cid| view.get::<u64>(&Key::VersionNumber(*id)).transpose();
    let numbers = named.iter().filter_map(number).collect::<Result<Vec<_>, Stop>>()?;
    let parents = manifest.derived_from.iter().filter_map(|parent| number(&parent.version));
    let parents = parents.collect::<Result<Vec<_>, Stop>>()?;
    let ancestries = parents.iter().map(|number| Key::Ancestry(*number));
    view.require(numbers.iter().map(|number| Key::Version(*number)).chain(ancestries))?;
    let version = |number: &u64| view.expect::<Version>(&Key::Version(*number));
    let versions = numbers.iter().map(version).collect::<Result<Vec<_>, Stop>>()?;
    let above = parents.iter().map(|number| lineage::ancestor_keys(view, *number));
    let above = above.collect::<Result<Vec<_>, Stop>>()?;
    let granted = |number: &u64| view.get::<Grant>(&Key::Grant(*number)).transpose();
    let components = record.grants.iter().take(COMPONENTS_MAX);
    let granted = components.chain(record.derives.iter().take(PARENTS_MAX)).filter_map(granted);
    let granted = granted.map(|grant| Ok(Key::Terms(grant?.terms)));
    let granted = granted.collect::<Result<Vec<_>, Stop>>()?;
    let of = versions.iter().flat_map(|one| [Key::Line(one.line), Key::Terms(one.terms)]);
    view.require(of.chain(above.into_iter().flatten()).chain(granted))
}

/// The versions that a manifest names.
fn named(manifest: &Manifest) -> impl Iterator<Item = Cid> {
    let parents = manifest.derived_from.iter().map(|parent| parent.version);
    let components = manifest.uses.iter().map(|component| component.version);
    manifest.previous.iter().copied().chain(parents).chain(components)
}

fn check_creator(
    view: &View<'_>,
    party: &Party,
    record: &Publish,
    manifest: &Manifest,
) -> Result<(), Stop> {
    let account: Account = view.expect(&Key::Account(party.account))?;
    let signs = account.keys.is_some_and(|keys| keys.keys.contains(&record.manifest.key));
    if account.id == manifest.creator && signs {
        return Ok(());
    }
    let message = "a capsule is published by its creator and signed with a key of that account";
    Err(Refusal::new(ErrorCode::NotAuthorised, message).into())
}

/// Terms that somebody may accept from now on: the ledger keeps them, or they are given.
pub(super) fn known_terms(
    view: &mut View<'_>,
    id: Cid,
    given: Option<&[u8]>,
) -> Result<Terms, Stop> {
    let key = Key::Terms(id);
    let known: Option<Vec<u8>> = view.get(&key)?;
    let given = given.filter(|bytes| Cid::of(bytes) == id).map(<[u8]>::to_vec);
    let missing = || {
        let message = format!("the terms {id} are not given and not known");
        Refusal::new(ErrorCode::TermsInvalid, message)
    };
    let bytes = known.or(given).ok_or_else(missing)?;
    let terms = Terms::from_document(&bytes)
        .map_err(|error| Refusal::new(ErrorCode::TermsInvalid, error.to_string()))?;
    still_binds(&terms, view.block.time)?;
    view.put(&key, &bytes);
    Ok(terms)
}

/// Terms whose end has passed bind nobody.
pub(super) fn still_binds(terms: &Terms, now: Moment) -> Result<(), Refusal> {
    let Some(problem) = terms.problem_at(now) else { return Ok(()) };
    Err(Refusal::new(ErrorCode::TermsInvalid, problem.to_string()))
}

/// The line that a version continues, or a new one with its royalty lines.
fn line_of(view: &mut View<'_>, party: &Party, draft: &Draft<'_>) -> Result<(u64, Line), Stop> {
    let manifest = draft.manifest;
    for previous in &manifest.previous {
        check_previous(view, party, manifest, previous)?;
    }
    match manifest.previous.first() {
        Some(previous) if !manifest.fork => super::ownership::own_line(view, party, previous),
        _ => new_line(view, party, draft),
    }
}

/// Whoever continues or merges the work of others gives them a share.
fn check_previous(
    view: &View<'_>,
    party: &Party,
    manifest: &Manifest,
    previous: &Cid,
) -> Result<(), Stop> {
    let (_, version) = version_of(view, previous)?;
    let line: Line = view.expect(&Key::Line(version.line))?;
    let shares = manifest.derived_from.iter().any(|parent| parent.version == *previous);
    if line.owner == party.account || shares {
        return Ok(());
    }
    let message = format!("{previous} is somebody else's: name it in derived_from too");
    Err(Refusal::new(ErrorCode::NotAuthorised, message).into())
}

fn new_line(view: &mut View<'_>, party: &Party, draft: &Draft<'_>) -> Result<(u64, Line), Stop> {
    let declared = &draft.manifest.royalty;
    view.require(declared.iter().map(|royalty| Key::AccountNumber(royalty.holder)))?;
    let line_number = view.number(|numbers| &mut numbers.lines)?;
    let mut royalty = Vec::with_capacity(declared.len());
    for declaration in declared {
        let holder = number_of(view, &declaration.holder)?;
        let number = view.number(|numbers| &mut numbers.royalties)?;
        let holder = History::new(view.block.height, holder);
        view.put(&Key::Royalty(number), &Royalty { line: line_number, holder });
        royalty.push((number, declaration.weight));
    }
    let line = Line { first: draft.id, owner: party.account, head: draft.number, royalty };
    Ok((line_number, line))
}

/// Components with their grants, and how deep they go.
fn components_of(
    view: &View<'_>,
    party: &Party,
    record: &Publish,
    manifest: &Manifest,
) -> Result<(Vec<(u64, u64)>, u16), Stop> {
    if record.grants.len() != manifest.uses.len() {
        let message = "one grant is named for each component";
        return Err(Refusal::new(ErrorCode::GrantMissing, message).into());
    }
    let (mut uses, mut depth) = (Vec::new(), 0);
    for (component, grant) in manifest.uses.iter().zip(&record.grants) {
        let (number, version) = version_of(view, &component.version)?;
        check_component(view, party.account, &version, *grant)?;
        depth = depth.max(version.depth + 1);
        uses.push((number, *grant));
    }
    if depth > COMPONENT_DEPTH_MAX {
        let message = format!("components are nested deeper than {COMPONENT_DEPTH_MAX} levels");
        return Err(Refusal::new(ErrorCode::LimitExceeded, message).into());
    }
    Ok((uses, depth))
}

/// Whoever owns a capsule holds grants to compose its components.
pub(super) fn check_component(
    view: &View<'_>,
    owner: u64,
    version: &Version,
    number: u64,
) -> Result<(), Stop> {
    let grant: Grant = view.named("grant", number, &Key::Grant(number))?;
    let refuse = |what: &str| {
        let message = format!("grant {number} {what} component {}", version.id);
        Err(Refusal::new(ErrorCode::GrantMissing, message).into())
    };
    if grant.licensee != owner || grant.line != version.line {
        return refuse("is not the owner's for");
    }
    if !grant.covers(version) || grant.revoked.is_some() {
        return refuse("does not hold for");
    }
    let terms = stored_terms(view, grant.terms)?;
    if terms.grants.contains(&Right::Compose) {
        Ok(())
    } else {
        refuse("does not allow to compose")
    }
}

/// Opens the accounts of a datanet's contributors.
fn datanet_of(
    view: &mut View<'_>,
    record: &Publish,
    draft: &Draft<'_>,
    first: &Cid,
) -> Result<(), Stop> {
    let Some(declaration) = &draft.manifest.datanet else { return Ok(()) };
    let table = contributors_of(record, declaration)?;
    check_sharing(declaration, &table)?;
    let account = |contributor: &Contributor| contributor.account(first);
    view.require(table.entries().iter().map(|entry| Key::AccountNumber(account(entry))))?;
    let mut contributors = Vec::with_capacity(table.entries().len());
    for entry in table.entries() {
        contributors.push(match entry {
            Contributor::Account(id) => number_of(view, id)?,
            Contributor::Name(name) => escrow(view, account(entry), name)?,
        });
    }
    let treasury = number_of(view, &declaration.treasury)?;
    let datanet = Datanet { table: declaration.contributors, contributors, treasury };
    view.put(&Key::Datanet(draft.number), &datanet);
    Ok(())
}

fn contributors_of(
    record: &Publish,
    declaration: &DatanetDeclaration,
) -> Result<ContributorTable, Refusal> {
    let named = |bytes: &&Vec<u8>| Cid::of(bytes) == declaration.contributors;
    let missing = || {
        let message = format!("the contributor table {} is not given", declaration.contributors);
        Refusal::new(ErrorCode::ManifestInvalid, message)
    };
    let bytes = record.contributors.as_ref().filter(named).ok_or_else(missing)?;
    ContributorTable::decode(bytes)
        .map_err(|error| Refusal::new(ErrorCode::ManifestInvalid, error.to_string()))
}

/// What nobody could share by is not published. A draw is among as many as there are.
fn check_sharing(
    declaration: &DatanetDeclaration,
    table: &ContributorTable,
) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(ErrorCode::ManifestInvalid, message));
    let floor = u16::from(Method::CommonFloor.number());
    if declaration.methods.iter().any(|(method, _)| *method == floor) {
        return refuse("the floor is a rule of sharing, and no method of the mix".into());
    }
    let Some(said) = &declaration.sharing else { return Ok(()) };
    if let Err(error) = ambar_receipt::sharing(declaration) {
        return refuse(error.to_string());
    }
    let entries = table.entries().len();
    if said.contributors as usize != entries {
        let contributors = said.contributors;
        return refuse(format!("the table has {entries} contributors, not {contributors}"));
    }
    Ok(())
}

fn plan_of(draft: &Draft<'_>, line: &Line, parents: &[(Weight, Plan)]) -> Result<Plan, Refusal> {
    let share = draft.manifest.own_share().unwrap_or_default();
    let datanet = draft.manifest.datanet.as_ref().map(|datanet| (draft.number, datanet.share));
    let own = Own { share, royalty: line.royalty.clone(), datanet };
    let parents: Vec<_> = parents.iter().map(|(share, plan)| (*share, plan)).collect();
    plan::flatten(&draft.id, &own, &parents)
        .map_err(|error| Refusal::new(ErrorCode::ManifestInvalid, error.to_string()))
}
