//! Models that share a budget of memory.

use ambar_compute::gguf::{GgufEngine, Pool};
use ambar_compute::{Engine, Failure, Finish};

use super::loaded::{Call, answer, counting, engine_in, model_path, options};

/// More than the model of the tests takes.
const PLENTY_BYTES: u64 = 64 << 30;

#[tokio::test]
async fn engines_of_one_file_load_it_once() {
    let pool = Pool::new(PLENTY_BYTES);
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("link.gguf");
    std::os::unix::fs::symlink(model_path(), &link).unwrap();
    let (a, b) = (engine_in(&pool, model_path(), 2), engine_in(&pool, link, 1));
    assert_eq!(pool.usage().engines, 0, "nothing is loaded before it is needed");
    let (first, second, third) = tokio::join!(a.load(), a.load(), b.load());
    first.and(second).and(third).unwrap();
    let usage = pool.usage();
    assert_eq!((usage.loads, usage.files, usage.engines), (1, 1, 2));
    assert_eq!(answer(&a, counting(8)).await.0, answer(&b, counting(8)).await.0);

    // What an engine had is free when it is gone.
    drop(a);
    let less = pool.usage();
    assert!((less.files, less.engines) == (1, 1) && less.used_bytes < usage.used_bytes);
    drop(b);
    assert_eq!((pool.usage().used_bytes, pool.usage().files), (0, 0));
}

#[tokio::test]
async fn what_is_idle_is_unloaded_for_another_and_loaded_again() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other.gguf");
    std::fs::copy(model_path(), &other).unwrap();
    let roomy = Pool::new(PLENTY_BYTES);
    let measured = engine_in(&roomy, model_path(), 2);
    measured.load().await.unwrap();

    // Room for one, not for two.
    let pool = Pool::new(roomy.usage().used_bytes + 1);
    let (a, b) = (engine_in(&pool, model_path(), 2), engine_in(&pool, other, 2));
    let (text, _) = answer(&a, counting(8)).await;
    for round in 0..2 {
        for (place, engine) in [&b, &a].into_iter().enumerate() {
            assert_eq!(answer(engine, counting(8)).await.0, text);
            let usage = pool.usage();
            assert_eq!((usage.engines, usage.files), (1, 1));
            assert_eq!(usage.loads, 2 + 2 * round + place as u64);
        }
    }

    // One with a job is not unloaded: the other waits until it is over.
    let mut long = Call::start(&a, counting(1500), 4096);
    assert!(long.piece().await.is_some());
    let waiting = Call::start(&b, counting(8), 64);
    let later = Call::start(&a, counting(8), 64);
    for _ in 0..20 {
        assert!(long.piece().await.is_some());
        assert_eq!(pool.usage().engines, 1);
        assert!(!waiting.running.is_finished());
    }
    long.cancel.cancel();
    assert_eq!(long.rest().await.1.finish, Finish::Cancelled);
    assert_eq!(waiting.rest().await.0, text);
    assert_eq!(later.rest().await.0, text);
}

#[tokio::test]
async fn a_model_larger_than_the_budget_is_refused_with_both_numbers() {
    let pool = Pool::new(1 << 20);
    let engine = GgufEngine::open_in(pool.clone(), model_path(), options(4)).unwrap();
    let refused = engine.load().await.unwrap_err().failure;
    let Failure::ModelTooLarge { needed_bytes, budget_bytes, .. } = refused else {
        panic!("{refused:?}");
    };
    let file = std::fs::metadata(model_path()).unwrap().len();
    assert!(needed_bytes > file && budget_bytes == 1 << 20, "{needed_bytes}");
    assert_eq!(pool.usage().used_bytes, 0);
}

#[tokio::test]
async fn the_jobs_of_two_models_take_turns() {
    let pool = Pool::new(PLENTY_BYTES);
    let (a, b) = (engine_in(&pool, model_path(), 1), engine_in(&pool, model_path(), 1));
    let mut long = Call::start(&a, counting(1500), 4096);
    assert!(long.piece().await.is_some());
    assert_eq!(answer(&b, counting(4)).await.1.usage.tokens_out, Some(4));
    assert!(!long.running.is_finished(), "the long job of the other model ended first");
    long.cancel.cancel();
    assert_eq!(long.rest().await.1.finish, Finish::Cancelled);
}

#[tokio::test]
async fn a_file_that_cannot_be_loaded_takes_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    std::fs::copy(model_path(), &path).unwrap();
    let pool = Pool::new(PLENTY_BYTES);
    let engine = engine_in(&pool, path.clone(), 1);
    std::fs::write(&path, b"GGUF").unwrap();
    let refused = engine.load().await.unwrap_err().failure;
    assert!(matches!(refused, Failure::ModelRefused { .. }), "{refused:?}");
    assert_eq!((pool.usage().used_bytes, pool.usage().engines), (0, 0));
    std::fs::remove_file(&path).unwrap();
    let missing = engine.load().await.unwrap_err().failure;
    assert!(matches!(missing, Failure::File { .. }), "{missing:?}");
}
