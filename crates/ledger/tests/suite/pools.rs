//! Pools: who belongs to them, what stands in them, who had a content first, how rules change.
//! Every step checks the invariants of the whole state.

use crate::world::World;
use ambar_attribution::{Duplicates, Sharing};
use ambar_base::{Amount, Digest, ErrorCode, Price, Weight};
use ambar_ledger::object::{
    Pool, PoolMember, PoolRecord, PoolRules, Proposal, REVEAL_MS, Source, Submission,
    SubmissionState, commitment, reserved,
};
use ambar_ledger::query::State;
use ambar_ledger::result::OperationResult;
use ambar_ledger::transaction::{
    CreatePool, JoinPool, ProposeRules, RevealRecord, ReviewRecord, SubmitRecord, Verdict,
    VoteRules, WithdrawRecord,
};
use ambar_ledger::{Key, Operation, Refusal};

const DEPOSIT: Price = Price(5_000_000);

fn rules(agreeing: u16) -> PoolRules {
    PoolRules {
        open: true,
        agreeing,
        deposit: DEPOSIT,
        bytes_max: 1_000,
        licences: vec!["CC0-1.0".into()],
        quality: Digest::ZERO,
        sharing: Sharing::OF_POOLS,
    }
}

pub fn record(content: &str) -> PoolRecord {
    PoolRecord {
        content: Digest::of(content.as_bytes()),
        bytes: content.len() as u64,
        title: content.into(),
        licence: "CC0-1.0".into(),
        source: Source::Own,
    }
}

fn salt(of: &str) -> Digest {
    Digest::of(format!("salt of {of}").as_bytes())
}

pub struct Case {
    pub world: World,
}

/// Ana keeps the pool `speeches`, Rita and Rolf review; Ben and Cleo may contribute.
pub fn case(agreeing: u16) -> Case {
    let mut case = Case { world: World::new() };
    for name in ["ana", "ben", "cleo", "rita", "rolf"] {
        case.world.person(name);
    }
    assert_eq!(case.create("ana", "speeches", rules(agreeing)).unwrap(), 0);
    case
}

impl Case {
    pub fn act(&mut self, who: &str, operation: Operation) -> Result<OperationResult, Refusal> {
        Ok(self.world.act(who, vec![operation])?.remove(0))
    }

    fn create(&mut self, who: &str, name: &str, rules: PoolRules) -> Result<u64, Refusal> {
        let reviewers = ["rita", "rolf"].map(|name| self.world.id(name)).to_vec();
        let (name, theme) = (name.to_owned(), "What presidents said".to_owned());
        let create = CreatePool { name, theme, rules, reviewers, forked_from: None };
        match self.act(who, Operation::CreatePool(create))? {
            OperationResult::Pool(number) => Ok(number),
            other => panic!("{other:?}"),
        }
    }

    pub fn join(&mut self, who: &str) -> Result<OperationResult, Refusal> {
        self.act(who, Operation::JoinPool(JoinPool { pool: 0, member: None }))
    }

    fn commit_as(&mut self, who: &str, pool: u64, record: &PoolRecord) -> Result<u64, Refusal> {
        let number = self.world.ledger.account_number(&self.world.id(who).to_string()).unwrap();
        let commitment = commitment(pool, number, record, &salt(who));
        match self.act(who, Operation::SubmitRecord(SubmitRecord { pool, commitment }))? {
            OperationResult::Submission(number) => Ok(number),
            other => panic!("{other:?}"),
        }
    }

    pub fn commit(&mut self, who: &str, record: &PoolRecord) -> Result<u64, Refusal> {
        self.commit_as(who, 0, record)
    }

    pub fn reveal(
        &mut self,
        who: &str,
        (pool, submission): (u64, u64),
        record: &PoolRecord,
    ) -> Result<OperationResult, Refusal> {
        let (record, salt) = (record.clone(), salt(who));
        self.act(who, Operation::RevealRecord(RevealRecord { pool, submission, record, salt }))
    }

    pub fn review(
        &mut self,
        who: &str,
        submission: u64,
        verdict: Verdict,
    ) -> Result<OperationResult, Refusal> {
        self.act(who, Operation::ReviewRecord(ReviewRecord { pool: 0, submission, verdict }))
    }

    pub fn withdraw(&mut self, who: &str, submission: u64) -> Result<OperationResult, Refusal> {
        self.act(who, Operation::WithdrawRecord(WithdrawRecord { pool: 0, submission }))
    }

    /// A revealed submission whose time to be decided has come.
    fn submitted(&mut self, who: &str, content: &str) -> u64 {
        let record = record(content);
        let number = self.commit(who, &record).unwrap();
        self.reveal(who, (0, number), &record).unwrap();
        self.world.block(REVEAL_MS + 1);
        number
    }

    fn standing(&mut self, who: &str, content: &str) -> u64 {
        let number = self.submitted(who, content);
        self.review("rita", number, Verdict::Accept).unwrap();
        number
    }

    fn pool(&self) -> Pool {
        self.world.ledger.must("pool", 0, &Key::Pool(0)).unwrap()
    }

    pub fn submission(&self, number: u64) -> Submission {
        self.world.ledger.must("submission", number, &Key::Submission((0, number))).unwrap()
    }

    fn state(&self, number: u64) -> &'static str {
        self.submission(number).state.text()
    }

    fn member(&self, who: &str) -> Option<PoolMember> {
        let number = self.world.ledger.account_number(&self.world.id(who).to_string()).unwrap();
        self.world.ledger.object(&Key::PoolMember((0, number))).unwrap()
    }

    /// What the reserved account with this number holds.
    fn held(&self, number: u64) -> Amount {
        let balance = self.world.ledger.must("balance", number, &Key::Balance(number));
        let balance: ambar_ledger::object::Balance = balance.unwrap();
        balance.sum().unwrap()
    }
}

fn code<T>(result: Result<T, Refusal>) -> Option<ErrorCode> {
    result.err().map(|refusal| refusal.code)
}

const INVALID: Option<ErrorCode> = Some(ErrorCode::TransactionInvalid);
const NOT: Option<ErrorCode> = Some(ErrorCode::NotAuthorised);

#[test]
fn a_record_is_committed_revealed_accepted_and_taken_back() {
    let mut case = case(2);
    case.join("ben").unwrap();
    let one = record("We the people");
    let held = case.held(reserved::DEPOSITS);
    let number = case.commit("ben", &one).unwrap();
    assert_eq!(case.held(reserved::DEPOSITS).checked_sub(held), Some(Amount::from(DEPOSIT)));
    assert_eq!(code(case.review("rita", number, Verdict::Accept)), INVALID, "nobody knows it");
    case.reveal("ben", (0, number), &one).unwrap();
    assert_eq!(code(case.review("rita", number, Verdict::Accept)), Some(ErrorCode::TooEarly));
    case.world.block(REVEAL_MS + 1);
    assert_eq!(code(case.review("ben", number, Verdict::Accept)), NOT);
    assert_eq!(code(case.review("ana", number, Verdict::Accept)), NOT, "the steward neither");
    case.review("rita", number, Verdict::Accept).unwrap();
    assert_eq!(case.state(number), "revealed");
    assert_eq!(code(case.review("rita", number, Verdict::Accept)), INVALID, "she said so");
    assert_eq!(code(case.review("rita", number, Verdict::Reject("no".into()))), INVALID);
    case.review("rolf", number, Verdict::Accept).unwrap();
    assert_eq!(case.state(number), "accepted");
    assert_eq!(case.held(reserved::DEPOSITS), held, "the deposit went back");
    let pool = case.pool();
    assert_eq!((pool.members, pool.contributors, pool.records), (2, 1, 1));
    assert_eq!(code(case.act("ben", Operation::LeavePool(0))), INVALID);
    assert_eq!(code(case.withdraw("cleo", number)), NOT);
    case.withdraw("ben", number).unwrap();
    assert_eq!(code(case.withdraw("ben", number)), INVALID);
    let pool = case.pool();
    assert_eq!((pool.members, pool.contributors, pool.records), (2, 0, 0));
    assert_eq!(case.submission(number).record(), Some(&one), "who looks still finds what it was");
    case.act("ben", Operation::LeavePool(0)).unwrap();
    assert_eq!(case.pool().members, 1);
}

#[test]
fn a_rejected_record_burns_its_deposit_and_frees_its_content() {
    let mut case = case(2);
    case.join("ben").unwrap();
    case.join("cleo").unwrap();
    let (held, burned) = (case.held(reserved::DEPOSITS), case.held(reserved::BURN));
    let number = case.submitted("ben", "spam");
    let reject = || Verdict::Reject("it addresses the model".into());
    assert_eq!(code(case.review("rita", number, Verdict::Reject(String::new()))), INVALID);
    assert_eq!(code(case.review("rita", number, Verdict::Reject("a\nb".into()))), INVALID);
    case.review("rita", number, reject()).unwrap();
    case.review("rolf", number, reject()).unwrap();
    let SubmissionState::Rejected(decided) = case.submission(number).state else { panic!() };
    assert_eq!(decided.reason, "it addresses the model");
    assert_eq!(case.held(reserved::DEPOSITS), held);
    // Fees burn, too.
    let gone = case.held(reserved::BURN).checked_sub(burned).unwrap();
    assert!(gone >= Amount::from(DEPOSIT), "{gone}");
    case.submitted("cleo", "spam");
}

#[test]
fn who_committed_first_has_the_content_whoever_reveals_first() {
    let mut case = case(1);
    case.join("ben").unwrap();
    case.join("cleo").unwrap();
    let one = record("mine");
    let bens = case.commit("ben", &one).unwrap();
    case.world.block(1);
    let cleos = case.commit("cleo", &one).unwrap();
    // Cleo saw nothing of what Ben committed to; had she, she would be late all the same.
    case.reveal("cleo", (0, cleos), &one).unwrap();
    let before = case.world.balance(case.world.id("cleo"));
    case.reveal("ben", (0, bens), &one).unwrap();
    assert_eq!(case.state(cleos), "rejected");
    let back = case.world.balance(case.world.id("cleo")).checked_sub(before);
    assert_eq!(back, Some(Amount::from(DEPOSIT)), "she did nothing wrong");
    case.world.block(1);
    let late = case.commit("cleo", &one).unwrap();
    assert_eq!(code(case.reveal("cleo", (0, late), &one)), Some(ErrorCode::ContentKnown));
    case.withdraw("cleo", late).unwrap();
    case.world.block(REVEAL_MS + 1);
    case.review("rita", bens, Verdict::Accept).unwrap();
    let late = case.commit("cleo", &one).unwrap();
    assert_eq!(code(case.reveal("cleo", (0, late), &one)), Some(ErrorCode::ContentKnown));
    // Nobody else registers what was taken back; its contributor may.
    case.withdraw("ben", bens).unwrap();
    assert_eq!(code(case.reveal("cleo", (0, late), &one)), Some(ErrorCode::ContentKnown));
    let again = case.standing("ben", "mine");
    assert_eq!(case.state(again), "accepted");
}

#[test]
fn a_content_is_registered_once_in_all_pools() {
    let mut case = case(1);
    let other = case.create("cleo", "letters", rules(1)).unwrap();
    case.join("ben").unwrap();
    case.standing("ben", "mine");
    let late = case.commit_as("cleo", other, &record("mine")).unwrap();
    let refused = case.reveal("cleo", (other, late), &record("mine"));
    assert_eq!(code(refused), Some(ErrorCode::ContentKnown));
}

#[test]
fn what_is_revealed_is_what_was_committed_in_time() {
    let mut case = case(1);
    case.join("ben").unwrap();
    let one = record("mine");
    let number = case.commit("ben", &one).unwrap();
    let changes: [fn(&mut PoolRecord); 4] = [
        |record| record.content = Digest::of(b"other"),
        |record| record.bytes += 1,
        |record| record.title.push('.'),
        |record| record.source = Source::Unstated,
    ];
    for change in changes {
        let mut other = one.clone();
        change(&mut other);
        assert_eq!(code(case.reveal("ben", (0, number), &other)), INVALID, "{other:?}");
    }
    case.join("cleo").unwrap();
    assert_eq!(code(case.reveal("cleo", (0, number), &one)), NOT);
    case.world.block(REVEAL_MS + 1);
    let late = Some(ErrorCode::TransactionExpired);
    assert_eq!(code(case.reveal("ben", (0, number), &one)), late);
    let held = case.held(reserved::DEPOSITS);
    case.withdraw("ben", number).unwrap();
    let back = held.checked_sub(case.held(reserved::DEPOSITS));
    assert_eq!(back, Some(Amount::from(DEPOSIT)));
}

#[test]
fn a_pool_takes_what_its_rules_take() {
    let mut case = case(1);
    case.join("ben").unwrap();
    let changes: [fn(&mut PoolRecord); 6] = [
        |record| record.bytes = 1_001,
        |record| record.bytes = 0,
        |record| record.licence = "MIT".into(),
        |record| record.title = String::new(),
        |record| record.title = "a\u{7}".into(),
        |record| record.source = Source::Orcid("0000-0002-1825-0098".into()),
    ];
    for change in changes {
        let mut wrong = record("mine");
        change(&mut wrong);
        let number = case.commit("ben", &wrong).unwrap();
        assert_eq!(code(case.reveal("ben", (0, number), &wrong)), INVALID, "{wrong:?}");
    }
}

#[test]
fn who_may_join_and_submit() {
    let mut case = case(1);
    assert_eq!(code(case.commit("ben", &record("mine"))), NOT, "not a member");
    case.join("ben").unwrap();
    assert_eq!(code(case.join("ben")), INVALID);
    assert_eq!(code(case.act("ana", Operation::LeavePool(0))), INVALID);
    assert_eq!(code(case.act("cleo", Operation::LeavePool(0))), NOT);
    let closed = case.create("ana", "closed", PoolRules { open: false, ..rules(1) }).unwrap();
    let join = |member| Operation::JoinPool(JoinPool { pool: closed, member });
    assert_eq!(code(case.act("ben", join(None))), NOT);
    let (ben, cleo) = (case.world.id("ben"), case.world.id("cleo"));
    assert_eq!(code(case.act("cleo", join(Some(ben)))), NOT);
    case.act("ana", join(Some(cleo))).unwrap();
    case.commit_as("cleo", closed, &record("mine")).unwrap();
    let unknown = Operation::JoinPool(JoinPool { pool: 9, member: None });
    assert_eq!(code(case.act("ben", unknown)), Some(ErrorCode::NotFound));
}

#[test]
fn nobody_reviews_their_own_record() {
    let mut case = case(1);
    case.join("rita").unwrap();
    let number = case.submitted("rita", "mine");
    assert_eq!(code(case.review("rita", number, Verdict::Accept)), NOT);
    case.review("rolf", number, Verdict::Accept).unwrap();
}

#[test]
fn names_and_rules_are_within_limits() {
    let mut case = case(1);
    assert_eq!(code(case.create("ben", "speeches", rules(1))), Some(ErrorCode::NameTaken));
    for name in ["", "Speeches", "-a", "a-", "a b", "a/b", "12", &"x".repeat(65)] {
        assert_eq!(code(case.create("ben", name, rules(1))), INVALID, "{name:?}");
    }
    let wrong: [fn(&mut PoolRules); 7] = [
        |rules| rules.agreeing = 0,
        |rules| rules.agreeing = 3,
        |rules| rules.bytes_max = 0,
        |rules| rules.bytes_max = u64::MAX,
        |rules| rules.licences = vec![String::new()],
        |rules| rules.sharing.floor = Weight(500_000_001),
        |rules| rules.sharing.cap = Weight::ZERO,
    ];
    for change in wrong {
        let mut rules = rules(1);
        change(&mut rules);
        assert_eq!(code(case.create("ben", "other", rules.clone())), INVALID, "{rules:?}");
    }
    let rita = case.world.id("rita");
    let twice = CreatePool {
        name: "other".into(),
        theme: "theme".into(),
        rules: rules(1),
        reviewers: vec![rita, rita],
        forked_from: None,
    };
    assert_eq!(code(case.act("ben", Operation::CreatePool(twice.clone()))), INVALID);
    let orphan = CreatePool { reviewers: vec![rita], forked_from: Some(7), ..twice.clone() };
    let missing = case.act("ben", Operation::CreatePool(orphan));
    assert_eq!(code(missing), Some(ErrorCode::NotFound));
    let fork = CreatePool { reviewers: vec![rita], forked_from: Some(0), ..twice };
    case.act("ben", Operation::CreatePool(fork)).unwrap();
}

impl Case {
    fn propose(&mut self, who: &str, rules: PoolRules) -> Result<u64, Refusal> {
        let reviewers = vec![self.world.id("rolf")];
        let asked = ProposeRules { pool: 0, rules, reviewers };
        match self.act(who, Operation::ProposeRules(asked))? {
            OperationResult::Proposal(number) => Ok(number),
            other => panic!("{other:?}"),
        }
    }

    fn vote(&mut self, who: &str, proposal: u64, aye: bool) -> Result<OperationResult, Refusal> {
        self.act(who, Operation::VoteRules(VoteRules { pool: 0, proposal, aye }))
    }

    fn proposal(&self, number: u64) -> Proposal {
        self.world.ledger.must("proposal", number, &Key::Proposal((0, number))).unwrap()
    }
}

#[test]
fn contributors_vote_the_rules_of_their_pool() {
    let mut case = case(1);
    let (duplicates, floor) = (Duplicates::Halving, Weight(50_000_000));
    let sharing = Sharing { duplicates, floor, cap: Weight(300_000_000) };
    let changed = PoolRules { bytes_max: 500, sharing, ..rules(1) };
    assert_eq!(code(case.propose("ben", changed.clone())), NOT);
    // The steward is alone with the pool at first.
    case.propose("ana", PoolRules { bytes_max: 999, ..rules(1) }).unwrap();
    assert_eq!((case.pool().rules.bytes_max, case.pool().revision), (999, 1));
    // Rolf alone reviews from now on.
    for who in ["ben", "cleo"] {
        case.join(who).unwrap();
        let number = case.submitted(who, who);
        assert_eq!(code(case.review("rita", number, Verdict::Accept)), NOT);
        case.review("rolf", number, Verdict::Accept).unwrap();
    }
    case.world.block(1);
    let number = case.propose("ana", changed.clone()).unwrap();
    assert_eq!(code(case.vote("ana", number, true)), NOT, "she has no record");
    case.vote("ben", number, true).unwrap();
    case.vote("ben", number, true).unwrap();
    assert_eq!(case.proposal(number).ayes.len(), 1, "one vote each");
    case.vote("ben", number, false).unwrap();
    case.vote("cleo", number, true).unwrap();
    assert_eq!((case.proposal(number).passed, case.pool().revision), (None, 1));
    let other = case.propose("cleo", rules(1)).unwrap();
    case.vote("ben", number, true).unwrap();
    assert_eq!((case.pool().rules, case.pool().revision), (changed, 2));
    assert!(case.proposal(number).passed.is_some());
    assert_eq!(code(case.vote("cleo", number, false)), INVALID, "it has passed");
    assert_eq!(code(case.vote("cleo", other, true)), INVALID, "the rules are others by now");
}

#[test]
fn who_joins_after_a_proposal_does_not_vote_on_it() {
    let mut case = case(1);
    case.join("ben").unwrap();
    case.standing("ben", "mine");
    let number = case.propose("ben", rules(2)).err().map(|refusal| refusal.code);
    assert_eq!(number, INVALID, "one reviewer cannot agree with another");
    let number = case.propose("ben", rules(1)).unwrap();
    case.world.block(1);
    case.join("cleo").unwrap();
    case.standing("cleo", "hers");
    assert_eq!(code(case.vote("cleo", number, false)), NOT);
    assert_eq!(case.member("cleo").map(|member| member.records), Some(1));
}
