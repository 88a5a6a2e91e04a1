//! The encoder in memory: texts to tokens to vectors.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::BertModel;
use tokenizers::{Encoding, Tokenizer, TruncationParams};
use tokio_util::sync::CancellationToken;

use crate::error::Failure;
use crate::limits::{
    EMBED_BATCH_INPUTS_MAX, EMBED_INPUT_TOKENS_MAX, EMBED_JSON_BYTES_MAX, EMBED_MODEL_BYTES_MAX,
};
use crate::vectors::Embeddings;

use super::files::{self, Config};

/// An encoder with its tokenizer.
pub(super) struct Model {
    bert: BertModel,
    tokenizer: Tokenizer,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").finish_non_exhaustive()
    }
}

impl Model {
    /// Reads tokenizer and weights; takes a while, blocks.
    pub(super) fn load(dir: &Path, config: &Config) -> Result<Self, Failure> {
        let tokenizer = load_tokenizer(&dir.join("tokenizer.json"), config)?;
        let path = dir.join("model.safetensors");
        let weights = files::read(&path, EMBED_MODEL_BYTES_MAX)?;
        let bert = VarBuilder::from_slice_safetensors(&weights, DType::F32, &Device::Cpu)
            .and_then(|weights| BertModel::load(weights, &config.bert))
            .map_err(|error| Failure::ModelRefused { path, reason: error.to_string() })?;
        Ok(Self { bert, tokenizer })
    }

    /// Tokens that embedding `inputs` takes.
    pub(super) fn count(&self, inputs: &[String]) -> Result<u64, Failure> {
        Ok(total(&self.encode(inputs)?))
    }

    /// One vector per input; stops between two batches when cancelled.
    pub(super) fn embed(
        &self,
        inputs: &[String],
        cancel: &CancellationToken,
    ) -> Result<Embeddings, Failure> {
        let encodings = self.encode(inputs)?;
        // Texts of one length share a batch, so that little of it is padding.
        let mut order: Vec<usize> = (0..encodings.len()).collect();
        order.sort_by_key(|&index| encodings[index].len());
        let mut vectors = vec![Vec::new(); encodings.len()];
        for batch in order.chunks(EMBED_BATCH_INPUTS_MAX) {
            if cancel.is_cancelled() {
                return Err(Failure::Cancelled);
            }
            let texts: Vec<&Encoding> = batch.iter().map(|&index| &encodings[index]).collect();
            let batch_vectors = self.embed_batch(&texts).map_err(inference)?;
            for (&index, vector) in batch.iter().zip(batch_vectors) {
                vectors[index] = vector;
            }
        }
        Ok(Embeddings { vectors, tokens: Some(total(&encodings)) })
    }

    fn encode(&self, inputs: &[String]) -> Result<Vec<Encoding>, Failure> {
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.tokenizer.encode_batch(inputs, true).map_err(inference)
    }

    /// Mean of the last hidden states over each text's own tokens, scaled to
    /// length one. Shapes: ids, mask `[batch, tokens]`; hidden states
    /// `[batch, tokens, width]`; result `[batch][width]`.
    fn embed_batch(&self, texts: &[&Encoding]) -> candle_core::Result<Vec<Vec<f32>>> {
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let shape = (texts.len(), longest);
        let padded = |values: fn(&Encoding) -> &[u32]| {
            let row = |text: &&Encoding| {
                let mut row = values(text).to_vec();
                row.resize(longest, 0);
                row
            };
            Tensor::from_vec(texts.iter().flat_map(row).collect(), shape, &Device::Cpu)
        };
        let ids = padded(Encoding::get_ids)?;
        let mask = padded(Encoding::get_attention_mask)?;
        let hidden = self.bert.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
        let sum = hidden.broadcast_mul(&mask)?.sum(1)?;
        let mean = sum.broadcast_div(&mask.sum(1)?)?;
        let length = mean.sqr()?.sum_keepdim(1)?.sqrt()?;
        mean.broadcast_div(&length)?.to_vec2()
    }
}

fn load_tokenizer(path: &Path, config: &Config) -> Result<Tokenizer, Failure> {
    let refused = |reason: String| Failure::ModelRefused { path: path.to_owned(), reason };
    let bytes = files::read(path, EMBED_JSON_BYTES_MAX)?;
    let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|e| refused(e.to_string()))?;
    let truncation = TruncationParams {
        max_length: EMBED_INPUT_TOKENS_MAX.min(config.bert.max_position_embeddings),
        ..TruncationParams::default()
    };
    tokenizer.with_padding(None);
    tokenizer.with_truncation(Some(truncation)).map_err(|e| refused(e.to_string()))?;
    Ok(tokenizer)
}

fn total(encodings: &[Encoding]) -> u64 {
    encodings.iter().map(|encoding| encoding.len() as u64).sum()
}

fn inference(error: impl std::fmt::Display) -> Failure {
    Failure::Inference { reason: error.to_string() }
}
