//! Figures of calls for [`super::metrics`]: how long stages take, and the metrics that the
//! semantic conventions for generative AI name.

use ambar_gateway::telemetry::{HistogramView, Operation, Stage, Telemetry, names};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::Arc;

/// Microseconds of a second.
const MICROS: f64 = 1_000_000.0;

/// Registers the stages under the node's prefix.
pub(super) fn stages(registry: &mut Registry, telemetry: &Arc<Telemetry>) {
    registry.register_collector(Box::new(StageTimes(Arc::clone(telemetry))));
}

/// The metrics of the conventions, under their own names.
pub(super) fn conventions(telemetry: &Arc<Telemetry>) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Conventions(Arc::clone(telemetry))));
    registry
}

type Labels = Vec<(String, String)>;

fn label(name: &str, value: &str) -> (String, String) {
    (names::prometheus(name), value.to_owned())
}

/// A family of histograms whose values are divided by `unit`.
fn family(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<(&Unit, f64)>,
    members: impl Iterator<Item = (Labels, HistogramView)>,
) -> fmt::Result {
    let (unit, of) = unit.map_or((None, 1.0), |(unit, of)| (Some(unit), of));
    let mut metric = encoder.encode_descriptor(name, help, unit, MetricType::Histogram)?;
    for (labels, view) in members {
        let mut below = 0;
        let mut buckets: Vec<(f64, u64)> = Vec::with_capacity(view.up_to.len() + 1);
        for (bound, up_to) in &view.up_to {
            buckets.push((*bound as f64 / of, up_to - below));
            below = *up_to;
        }
        buckets.push((f64::INFINITY, view.count - below));
        let sum = view.sum as f64 / of;
        let mut one = metric.encode_family(&labels)?;
        one.encode_histogram::<NoLabelSet>(sum, view.count, &buckets, None)?;
    }
    Ok(())
}

#[derive(Debug)]
struct StageTimes(Arc<Telemetry>);

impl Collector for StageTimes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let members = Stage::ALL
            .into_iter()
            .map(|stage| (vec![label("stage", stage.label())], self.0.stages.view(stage)));
        let help = "How long each stage of a call takes";
        family(&mut encoder, "call_stage", help, Some((&Unit::Seconds, MICROS)), members)
    }
}

#[derive(Debug)]
struct Conventions(Arc<Telemetry>);

fn of(operation: Operation) -> Labels {
    vec![label(names::OPERATION, operation.label()), label(names::PROVIDER, names::PROVIDER_AMBAR)]
}

impl Collector for Conventions {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let durations = self.0.durations().into_iter().map(|((operation, error), view)| {
            let error = error.map(|error| label(names::ERROR_TYPE, error));
            (of(operation).into_iter().chain(error).collect(), view)
        });
        let name = names::prometheus(names::OPERATION_DURATION);
        let seconds = Some((&Unit::Seconds, MICROS));
        family(&mut encoder, &name, "How long calls took", seconds, durations)?;
        let tokens = Operation::ALL.into_iter().flat_map(|operation| {
            self.0.tokens(operation).map(|(kind, view)| {
                let kind = label(names::TOKEN_TYPE, kind);
                (of(operation).into_iter().chain([kind]).collect(), view)
            })
        });
        let name = names::prometheus(names::TOKEN_USAGE);
        family(&mut encoder, &name, "How many tokens calls used", None, tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_gateway::telemetry::Usage;
    use prometheus_client::encoding::text::encode;
    use std::time::Duration;

    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn figures_of_calls_are_printed_for_prometheus() {
        let telemetry = Arc::new(Telemetry::default());
        let usage = Usage { input_tokens: 3, output_tokens: 70, ..Usage::default() };
        telemetry.call(Operation::Chat, "a", false).done(&usage);
        drop(telemetry.call(Operation::Embeddings, "a", false));
        telemetry.stages.record(Stage::Durable, Duration::from_micros(60));
        telemetry.stages.record(Stage::Durable, Duration::from_secs(3600));
        let mut registry = Registry::with_prefix("ambar");
        stages(&mut registry, &telemetry);
        let printed = text(&registry) + &text(&conventions(&telemetry));
        let check = |line: &str| {
            assert!(printed.lines().any(|printed| printed == line), "{line} in {printed}");
        };
        check("# TYPE ambar_call_stage_seconds histogram");
        check(r#"ambar_call_stage_seconds_count{stage="durable"} 2"#);
        check(r#"ambar_call_stage_seconds_bucket{le="0.00005",stage="durable"} 0"#);
        check(r#"ambar_call_stage_seconds_bucket{le="0.0001",stage="durable"} 1"#);
        check(r#"ambar_call_stage_seconds_bucket{le="+Inf",stage="durable"} 2"#);
        let chat = r#"gen_ai_operation_name="chat",gen_ai_provider_name="ambar""#;
        check(&format!("gen_ai_client_operation_duration_seconds_count{{{chat}}} 1"));
        let output = format!(r#"{chat},gen_ai_token_type="output""#);
        check(&format!("gen_ai_client_token_usage_sum{{{output}}} 70.0"));
        check(&format!(r#"gen_ai_client_token_usage_bucket{{le="64.0",{output}}} 0"#));
        check(&format!(r#"gen_ai_client_token_usage_bucket{{le="256.0",{output}}} 1"#));
        assert!(printed.contains(r#"error_type="abandoned"} 1"#), "{printed}");
    }
}
