//! The command line: what can be asked of the binary, and which module answers.

use crate::commands::{
    account, attribution, call, capsule, cert, chain, channel, datanet, department, dispute, fetch,
    key, license, network, offer, publish, receipt, royalty, show, start, status, terms, tx,
};
use crate::connect;
use crate::context::Context;
use crate::demo;
use crate::failure::Outcome;
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Where a node listens unless said otherwise.
pub const NODE_DEFAULT: &str = "http://127.0.0.1:7700";

/// Publish, license, call, prove and settle AI resources
#[derive(Debug, Parser)]
#[command(
    name = "ambar",
    version,
    max_term_width = 100,
    propagate_version = true,
    after_help = "\
A first loop on one machine:
  ambar start                                   # a node with a network of its own
  ambar key new me && ambar account fund 10 --as me
  ambar publish model.gguf --kind model --name M --terms terms.toml --as me
  ambar license ID --as me --yes                # prints the channel
  ambar cert mint --channel CH > me.cert        # the API key
  ambar call ID --cert me.cert \"Hello\"

Failures exit with a code above 0 and print error[CODE] and help on standard error."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Args, Debug)]
pub struct Global {
    /// Where keys, ledger and blobs lie [default: ~/.ambar]
    #[arg(long, global = true, value_name = "DIR", env = "AMBAR_HOME", hide_env_values = true)]
    pub home: Option<PathBuf>,
    /// The node to talk to
    #[arg(long, global = true, value_name = "URL", env = "AMBAR_NODE", default_value = NODE_DEFAULT,
          hide_env_values = true)]
    pub node: String,
    /// Print one JSON document on standard output and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Write the transaction to a file for others to sign, and submit nothing
    #[arg(long, global = true, value_name = "FILE")]
    pub draft: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole loop on real input in a temporary home
    Demo(demo::DemoArgs),
    /// Run a node; a new home gets a key and a network of its own
    Start(start::StartArgs),
    /// Show how the node and its network are
    #[command(after_help = "Example:\n  ambar status")]
    Status,
    /// Found a network of validators, join one, tell others of it
    #[command(subcommand)]
    #[command(
        after_help = "Example:\n  ambar network init --validators 4 --out network --development"
    )]
    Network(network::Command),
    /// All blocks in one file, and a ledger made again from it
    #[command(subcommand)]
    #[command(after_help = "Example:\n  ambar chain export --out all.chain")]
    Chain(chain::Command),
    /// Keys of this home
    #[command(after_help = "Example:\n  ambar key new me")]
    #[command(subcommand)]
    Key(key::Command),
    /// Publish a capsule
    Publish(publish::PublishArgs),
    /// Show a capsule
    Show(show::ShowArgs),
    /// Verify a capsule: id, signature, creator and content
    Verify(fetch::VerifyArgs),
    /// Fetch a capsule's content, checked against its roots
    Fetch(fetch::FetchArgs),
    /// Draw what a capsule is built on and who gets how much of its royalty
    Lineage(show::LineageArgs),
    /// Capsules that one owns
    #[command(after_help = "Example:\n  ambar capsule transfer bafyrei… did:key:z6Mk… --as me")]
    #[command(subcommand)]
    Capsule(capsule::Command),
    /// Royalty lines: who calls pay, and their sale
    #[command(after_help = "Example:\n  ambar royalty list --as me")]
    #[command(subcommand)]
    Royalty(royalty::Command),
    /// Terms offered beside the published ones: to anybody, to one account, as a trial
    #[command(
        after_help = "Example:\n  ambar offer make bafyrei… --terms trial.toml --once --as me"
    )]
    #[command(subcommand)]
    Offer(offer::Command),
    /// Search the catalogue
    Search(show::SearchArgs),
    /// Check and explain terms
    #[command(after_help = "Example:\n  ambar terms explain terms.toml")]
    #[command(subcommand)]
    Terms(terms::Command),
    /// Accept a capsule's terms and open a channel
    License(license::LicenseArgs),
    /// Prefunded lines to gateways
    #[command(after_help = "Example:\n  ambar channel list --as me")]
    #[command(subcommand)]
    Channel(channel::ChannelCommand),
    /// Certificates: the API keys of the grid
    #[command(after_help = "Example:\n  ambar cert mint --channel 3 > app.cert")]
    #[command(subcommand)]
    Cert(cert::Command),
    /// Accepted terms
    #[command(after_help = "Example:\n  ambar grant list --as me")]
    #[command(subcommand)]
    Grant(channel::GrantCommand),
    /// Call through a proxy that signs for each call and verifies each receipt
    Connect(connect::ConnectArgs),
    /// Make one call
    Call(call::CallArgs),
    /// Receipts of calls
    #[command(after_help = "Example:\n  ambar receipt show 3-17 --as me")]
    #[command(subcommand)]
    Receipt(receipt::Command),
    /// Claims that a call was not what its receipt says
    #[command(after_help = "Example:\n  ambar dispute list --open")]
    #[command(subcommand)]
    Dispute(dispute::Command),
    /// Accounts and their money
    #[command(after_help = "Example:\n  ambar account fund 10 --as me")]
    #[command(subcommand)]
    Account(account::Command),
    /// Departments of an organisation: accounts with roles and a budget
    #[command(
        after_help = "Example:\n  ambar department create lab --keys ann --budget 50 --as acme"
    )]
    #[command(subcommand)]
    Department(department::Command),
    /// Transactions that several sign, as files
    #[command(after_help = "Example:\n  ambar tx sign pay.draft --as ann")]
    #[command(subcommand)]
    Tx(tx::Command),
    /// Datanets: gather records in pools, see whose they are
    #[command(after_help = "Example:\n  ambar datanet show bafyrei…")]
    #[command(subcommand)]
    Datanet(datanet::Command),
    /// Find whose records a text repeats word for word
    Trace(datanet::TraceArgs),
    /// Whether calls paid those whom their questions and answers name
    #[command(
        after_help = "Example:\n  ambar attribution verify 3-17.receipt --datanet speeches \\\n    \
            --records speeches/ --answer answer.txt"
    )]
    #[command(subcommand)]
    Attribution(attribution::Command),
    /// Recompute every receipt and balance
    Audit(status::AuditArgs),
}

/// The command that a command line means, as far as it names one.
pub fn meant(arguments: impl Iterator<Item = String>) -> clap::Command {
    let mut command = Cli::command();
    command.build();
    let mut arguments = arguments.skip(1);
    while let Some(argument) = arguments.next() {
        match command.find_subcommand(&argument) {
            Some(below) => command = below.clone(),
            // What follows them is a value.
            None if ["--home", "--node", "--draft"].contains(&argument.as_str()) => {
                drop(arguments.next());
            }
            None if argument.starts_with('-') => {}
            None => break,
        }
    }
    command
}

/// The first example in a command's help.
pub fn example(command: &clap::Command) -> Option<String> {
    let help = command.get_after_help()?.to_string();
    let mut lines = help.lines().skip_while(|line| !line.starts_with("Example"));
    let example = lines.nth(1)?.split('#').next()?;
    Some(example.trim().to_owned())
}

impl Cli {
    /// Whether a command below may submit a transaction as a person.
    fn submits(&self) -> bool {
        matches!(
            self.command,
            Command::Network(_)
                | Command::Key(_)
                | Command::Publish(_)
                | Command::Capsule(_)
                | Command::Royalty(_)
                | Command::License(_)
                | Command::Channel(_)
                | Command::Cert(_)
                | Command::Grant(_)
                | Command::Account(_)
                | Command::Department(_)
                | Command::Datanet(_)
        )
    }

    /// How many threads answer calls, if the command is a node: as many as there are cores, if it
    /// is not said.
    pub fn node_threads(&self) -> Option<NonZeroUsize> {
        let Command::Start(args) = &self.command else { return None };
        args.threads().or_else(|| std::thread::available_parallelism().ok())
    }

    /// Runs the command.
    pub async fn run(&self, context: &Context) -> Outcome {
        if !self.submits() {
            context.no_draft("--draft is for commands that submit a transaction")?;
        }
        match &self.command {
            Command::Demo(args) => demo::run(context, args).await,
            Command::Start(args) => start::run(context, args).await,
            Command::Status => status::run(context).await,
            Command::Network(command) => network::run(context, command).await,
            Command::Chain(command) => chain::run(context, command).await,
            Command::Key(command) => key::run(context, command).await,
            Command::Publish(args) => publish::run(context, args).await,
            Command::Show(args) => show::show(context, args).await,
            Command::Verify(args) => fetch::verify(context, args).await,
            Command::Fetch(args) => fetch::fetch(context, args).await,
            Command::Lineage(args) => show::lineage(context, args).await,
            Command::Capsule(command) => capsule::run(context, command).await,
            Command::Royalty(command) => royalty::run(context, command).await,
            Command::Offer(command) => offer::run(context, command).await,
            Command::Search(args) => show::search(context, args).await,
            Command::Terms(command) => terms::run(context, command).await,
            Command::License(args) => license::run(context, args).await,
            Command::Channel(command) => channel::run(context, command).await,
            Command::Cert(command) => cert::run(context, command).await,
            Command::Grant(command) => channel::run_grant(context, command).await,
            Command::Connect(args) => connect::run(context, args).await,
            Command::Call(args) => call::run(context, args).await,
            Command::Receipt(command) => receipt::run(context, command).await,
            Command::Dispute(command) => dispute::run(context, command).await,
            Command::Account(command) => account::run(context, command).await,
            Command::Department(command) => department::run(context, command).await,
            Command::Tx(command) => tx::run(context, command).await,
            Command::Datanet(command) => datanet::run(context, command).await,
            Command::Trace(args) => datanet::trace(context, args).await,
            Command::Attribution(command) => attribution::run(context, command).await,
            Command::Audit(args) => status::audit(context, args).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_command_line_still_means_a_command() {
        let check = |line: &str, expect: &str| {
            let command = meant(line.split(' ').map(str::to_owned));
            assert_eq!(command.get_bin_name().unwrap_or("ambar"), expect, "{line}");
        };
        check("ambar", "ambar");
        check("ambar pubish x", "ambar");
        check("ambar --json show", "ambar show");
        check("ambar --home key account fund much", "ambar account fund");
        check("ambar key new --as me", "ambar key new");
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
