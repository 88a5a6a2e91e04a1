use super::*;
use proptest::prelude::*;

const MIB: u64 = 1 << 20;

fn file(name: &str, bytes: u64) -> FileId {
    FileId { path: name.into(), bytes, changed: None }
}

#[derive(Debug, Clone, Copy)]
enum Act {
    /// A job of this member comes, for this file, with a context of so many bytes.
    Lease(u64, u64, u64),
    /// A job of this member ends.
    Release(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => (0u64..6, 0u64..3, 1u64..40).prop_map(|(m, f, c)| Act::Lease(m, f, c)),
        2 => (0u64..6).prop_map(Act::Release),
    ];
    proptest::collection::vec(act, 0..120)
}

/// What all members and files together take.
fn sum(state: &State) -> u64 {
    let contexts: u64 = state.members.values().map(|loaded| loaded.context_bytes).sum();
    contexts + state.weights.keys().map(|file| file.bytes).sum::<u64>()
}

fn lease(state: &mut State, number: u64) {
    state.now += 1;
    let now = state.now;
    let loaded = state.members.get_mut(&number).unwrap();
    (loaded.leases, loaded.last_used) = (loaded.leases + 1, now);
}

proptest! {
    #[test]
    fn the_budget_holds_and_nothing_in_use_is_unloaded(acts in acts(), budget in 40u64..160) {
        let mut state = State::default();
        for act in acts {
            match act {
                Act::Release(number) => {
                    if let Some(loaded) = state.members.get_mut(&number) {
                        loaded.leases = loaded.leases.saturating_sub(1);
                    }
                }
                Act::Lease(number, _, _) if state.members.contains_key(&number) => {
                    lease(&mut state, number);
                }
                Act::Lease(number, name, context) => {
                    let wanted = file(&name.to_string(), 30 + name);
                    loop {
                        let before: Vec<(u64, usize, u64)> = state
                            .members
                            .iter()
                            .map(|(number, l)| (*number, l.leases, l.last_used))
                            .collect();
                        match state.make_room(&wanted, context, budget) {
                            Ok(Room::Enough) => {
                                state.add(number, wanted, context);
                                lease(&mut state, number);
                                break;
                            }
                            Ok(Room::After(_)) => {
                                let idle = before.iter().filter(|(_, leases, _)| *leases == 0);
                                let longest = idle.min_by_key(|(_, _, used)| *used).unwrap().0;
                                prop_assert!(!state.members.contains_key(&longest));
                                prop_assert_eq!(state.members.len() + 1, before.len());
                            }
                            Ok(Room::Later) => {
                                prop_assert!(before.iter().all(|(_, leases, _)| *leases > 0));
                                break;
                            }
                            Err(_) => {
                                prop_assert!(wanted.bytes + context > budget);
                                break;
                            }
                        }
                    }
                }
            }
            prop_assert_eq!(state.used_bytes, sum(&state));
            prop_assert!(state.used_bytes <= budget);
            for (file, weights) in &state.weights {
                let members = state.members.values().filter(|l| l.file == *file).count();
                prop_assert_eq!(weights.members, members);
            }
        }
    }
}

#[test]
fn weights_of_one_file_count_once() {
    let mut state = State::default();
    for number in 0..3 {
        let room = state.make_room(&file("a", 100), 10, 130).unwrap();
        assert!(matches!(room, Room::Enough));
        state.add(number, file("a", 100), 10);
    }
    assert_eq!((state.used_bytes, state.weights.len()), (130, 1));
    // The same path with another length is another file.
    assert!(matches!(state.make_room(&file("a", 101), 10, 130), Ok(Room::After(_))));
}

#[test]
fn a_model_larger_than_the_budget_is_told_both_numbers() {
    let refused = State::default().make_room(&file("big", 5 * MIB), MIB, 4 * MIB);
    let Err(Failure::ModelTooLarge { needed_bytes, budget_bytes, path }) = refused else {
        panic!("it does not fit");
    };
    assert_eq!((needed_bytes, budget_bytes), (6 * MIB, 4 * MIB));
    let failure = Failure::ModelTooLarge { path, needed_bytes, budget_bytes };
    let told = failure.to_string();
    assert!(told.contains("6 MiB") && told.contains("4 MiB") && told.contains("big"), "{told}");
}
