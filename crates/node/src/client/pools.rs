//! The endpoints of pools.

use super::methods::segment;
use super::{Client, ClientError};
use crate::api::dto::{Pool, Pools, Proposals, Submissions};

impl Client {
    /// Pools after a number, or the first ones.
    pub async fn pools(&self, after: Option<&str>) -> Result<Pools, ClientError> {
        self.get(self.url("pools", &[("after", after)])).await
    }

    /// A pool by number or name.
    pub async fn pool(&self, pool: &str) -> Result<Pool, ClientError> {
        self.get(self.url(&format!("pools/{}", segment(pool)), &[])).await
    }

    /// What was submitted to a pool after a number, or the first.
    pub async fn submissions(
        &self,
        pool: &str,
        after: Option<&str>,
    ) -> Result<Submissions, ClientError> {
        let path = format!("pools/{}/submissions", segment(pool));
        self.get(self.url(&path, &[("after", after)])).await
    }

    /// The content of a submitted record; signed by its contributor, a reviewer or the steward.
    pub async fn submission_content(
        &self,
        pool: &str,
        submission: &str,
    ) -> Result<Vec<u8>, ClientError> {
        let path = format!("pools/{}/submissions/{}/content", segment(pool), segment(submission));
        self.get_bytes(self.url(&path, &[])).await
    }

    /// What was proposed for a pool after a number, or the first.
    pub async fn proposals(
        &self,
        pool: &str,
        after: Option<&str>,
    ) -> Result<Proposals, ClientError> {
        let path = format!("pools/{}/proposals", segment(pool));
        self.get(self.url(&path, &[("after", after)])).await
    }
}
