//! `ambar account statement`: every movement of an account's money, or of an organisation's
//! and all its departments' in one list.

use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::paint::short;
use crate::signer::Signer;
use crate::table::{Side, Table};
use ambar_base::{Amount, ErrorCode};
use ambar_node::api::dto::{Statement, StatementAccount, StatementRow};
use clap::Args;
use serde_json::{Value, json};

/// Rows asked for at once.
const ROWS_PER_REQUEST: u32 = 200;
/// Most rows printed.
const ROWS_MAX: usize = 100_000;
/// What an organisation's own rows are marked with.
const ORGANISATION: &str = "(organisation)";

/// Whose statement, and how.
#[derive(Args, Debug)]
pub struct StatementArgs {
    /// The account, by DID or id; without it, the key's own
    did: Option<String>,
    /// With the rows of all departments, and totals of each
    #[arg(long)]
    consolidated: bool,
    /// Print comma-separated values (RFC 4180)
    #[arg(long)]
    csv: bool,
    /// The key that asks
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// The sums of an account's rows, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    opening: Amount,
    incoming: Amount,
    outgoing: Amount,
    internal_in: Amount,
    internal_out: Amount,
}

/// Runs the command.
pub async fn run(context: &Context, args: &StatementArgs) -> Outcome {
    if args.csv && context.json {
        return Err(Failure::input("--csv and --json exclude one another"));
    }
    let signer = context.signer(args.key.as_deref()).await?;
    let account = args.did.clone().unwrap_or_else(|| signer.account.to_string());
    let statement = whole(&signer, &account, args.consolidated).await?;
    if args.csv {
        return context.write(&csv(&statement));
    }
    let Statement { first, rows, .. } = &statement;
    let late = first.map(before).unwrap_or_default();
    if !args.consolidated {
        let document = json!({ "account": statement.account, "first": first, "rows": rows });
        return context.print(&document, || rows_of(&statement) + &late);
    }
    let (each, total) = sums(&statement)?;
    let document = json!({
        "account": statement.account,
        "first": first,
        "accounts": documents(&statement, &each)?,
        "total": document(&total)?,
        "rows": rows,
    });
    let totals = totals_of(&statement, &each, &total)?;
    context.print(&document, || format!("{}\n{totals}{late}", rows_of(&statement)))
}

/// All pages as one.
async fn whole(signer: &Signer, account: &str, consolidated: bool) -> Outcome<Statement> {
    let mut whole: Option<Statement> = None;
    loop {
        let after = whole.as_ref().and_then(|whole| whole.next.clone());
        let (client, limit) = (signer.client(), Some(ROWS_PER_REQUEST));
        let part = if consolidated {
            client.consolidated_statement(account, after.as_deref(), limit).await?
        } else {
            client.statement(account, after.as_deref(), limit).await?
        };
        let mut rows = whole.map(|whole| whole.rows).unwrap_or_default();
        rows.extend(part.rows);
        let statement = Statement { rows, ..part };
        if statement.next.is_none() {
            return Ok(statement);
        }
        if statement.rows.len() >= ROWS_MAX {
            let message = format!("the statement has more than {ROWS_MAX} rows");
            return Err(Failure::new(ErrorCode::LimitExceeded, message));
        }
        whole = Some(statement);
    }
}

/// What a statement lacks that begins later than the network.
fn before(first: u64) -> String {
    format!(
        "\nthis node knows movements from block {first} on; `opening` is what was there before. An \
         archive node knows all.\n"
    )
}

/// What the account of a row is called.
fn owner<'a>(statement: &'a Statement, row: &StatementRow) -> &'a str {
    let found = statement.accounts.iter().find(|one| Some(&one.id) == row.of.as_ref());
    found.map_or("", called)
}

fn called(account: &StatementAccount) -> &str {
    account.name.as_deref().unwrap_or(ORGANISATION)
}

fn rows_of(statement: &Statement) -> String {
    let mut columns = vec![("block", Side::Right), ("time", Side::Left)];
    let consolidated = !statement.accounts.is_empty();
    columns.extend(consolidated.then_some(("of", Side::Left)));
    columns.extend([
        ("kind", Side::Left),
        ("receipt", Side::Left),
        ("with", Side::Left),
        ("credits", Side::Right),
    ]);
    columns.extend(consolidated.then_some(("", Side::Left)));
    let mut table = Table::new(&columns);
    for row in &statement.rows {
        let sign = if row.direction == "out" { "-" } else { "+" };
        let receipt = row.receipt.clone().unwrap_or_default();
        let with = row.counterpart.as_deref().map(short).unwrap_or_default();
        let (height, time) = (row.height.to_string(), row.time.clone());
        let (kind, credits) = (row.kind.clone(), format!("{sign}{}", row.amount));
        if consolidated {
            let internal = if row.internal { "internal" } else { "" }.to_owned();
            let of = owner(statement, row).to_owned();
            table.row([height, time, of, kind, receipt, with, credits, internal]);
        } else {
            table.row([height, time, kind, receipt, with, credits]);
        }
    }
    table.print("no movements")
}

/// The rows as a spreadsheet reads them: no field holds a comma, a quote or a line end.
fn csv(statement: &Statement) -> String {
    let mut text = String::from(
        "block,time,account,of,kind,direction,credits,receipt,with,capsule,channel,internal\r\n",
    );
    for row in &statement.rows {
        let or_empty = |value: &Option<String>| value.clone().unwrap_or_default();
        let fields = [
            row.height.to_string(),
            row.time.clone(),
            row.of.clone().unwrap_or_else(|| statement.account.clone()),
            owner(statement, row).to_owned(),
            row.kind.clone(),
            row.direction.clone(),
            row.amount.clone(),
            or_empty(&row.receipt),
            or_empty(&row.counterpart),
            or_empty(&row.capsule),
            or_empty(&row.channel),
            if row.internal { "yes" } else { "no" }.to_owned(),
        ];
        text += &format!("{}\r\n", fields.join(","));
    }
    text
}

/// The sums of each account, in the statement's order, and of all.
fn sums(statement: &Statement) -> Outcome<(Vec<Sums>, Sums)> {
    let mut each = vec![Sums::default(); statement.accounts.len()];
    let mut total = Sums::default();
    for row in &statement.rows {
        let place = statement.accounts.iter().position(|one| Some(&one.id) == row.of.as_ref());
        let odd = || Failure::new(ErrorCode::BadGateway, "a row is of no account that was named");
        each[place.ok_or_else(odd)?].add(row)?;
        total.add(row)?;
    }
    if total.internal_in != total.internal_out {
        let message = format!(
            "internal movements do not net to zero: {} in, {} out",
            total.internal_in, total.internal_out
        );
        return Err(Failure::new(ErrorCode::BadGateway, message).helping("ask another node"));
    }
    Ok((each, total))
}

impl Sums {
    fn add(&mut self, row: &StatementRow) -> Outcome {
        let amount: Amount = row.amount.parse().or_fail(ErrorCode::BadGateway)?;
        let place = match (row.kind.as_str(), row.internal, row.direction.as_str()) {
            ("opening", ..) => &mut self.opening,
            (_, true, "in") => &mut self.internal_in,
            (_, true, _) => &mut self.internal_out,
            (_, false, "in") => &mut self.incoming,
            (_, false, _) => &mut self.outgoing,
        };
        *place = place.checked_add(amount).ok_or_else(too_much)?;
        Ok(())
    }

    /// What there is after all rows.
    fn closing(&self) -> Outcome<Amount> {
        let given = [self.opening, self.incoming, self.internal_in];
        let given = ambar_base::amount::total(given).ok_or_else(too_much)?;
        let taken = self.outgoing.checked_add(self.internal_out).ok_or_else(too_much)?;
        given.checked_sub(taken).ok_or_else(|| {
            Failure::new(ErrorCode::BadGateway, "the rows take more than there was")
                .helping("ask another node")
        })
    }
}

fn too_much() -> Failure {
    Failure::new(ErrorCode::BadGateway, "the rows sum to more than there can be")
}

fn document(sums: &Sums) -> Outcome<Value> {
    Ok(json!({
        "opening": sums.opening.to_string(),
        "in": sums.incoming.to_string(),
        "out": sums.outgoing.to_string(),
        "internal_in": sums.internal_in.to_string(),
        "internal_out": sums.internal_out.to_string(),
        "closing": sums.closing()?.to_string(),
    }))
}

fn documents(statement: &Statement, each: &[Sums]) -> Outcome<Vec<Value>> {
    let one = |(account, sums): (&StatementAccount, &Sums)| {
        let mut value = document(sums)?;
        value["id"] = json!(account.id);
        value["name"] = json!(account.name);
        Ok(value)
    };
    statement.accounts.iter().zip(each).map(one).collect()
}

fn totals_of(statement: &Statement, each: &[Sums], total: &Sums) -> Outcome<String> {
    let columns = [
        ("total of", Side::Left),
        ("opening", Side::Right),
        ("in", Side::Right),
        ("out", Side::Right),
        ("internal", Side::Right),
        ("closing", Side::Right),
    ];
    let mut table = Table::new(&columns);
    let names = statement.accounts.iter().map(called).chain(["all"]);
    for (name, sums) in names.zip(each.iter().chain([total])) {
        // One of both is what is left: a part gets more than it gives back, or the other way.
        let net = match sums.internal_in.checked_sub(sums.internal_out) {
            Some(more) if more.is_zero() => "0".to_owned(),
            Some(more) => format!("+{more}"),
            None => format!("-{}", sums.internal_out.saturating_sub(sums.internal_in)),
        };
        table.row([
            name.to_owned(),
            sums.opening.to_string(),
            format!("+{}", sums.incoming),
            format!("-{}", sums.outgoing),
            net,
            sums.closing()?.to_string(),
        ]);
    }
    Ok(table.print("no accounts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(of: &str, kind: &str, direction: &str, amount: &str, internal: bool) -> StatementRow {
        let document = json!({
            "cursor": "1-0-0", "height": 1, "time": "2027-01-31T00:00:00Z", "kind": kind,
            "direction": direction, "amount": amount, "receipt": null, "counterpart": null,
            "capsule": null, "channel": null, "of": of, "internal": internal,
        });
        serde_json::from_value(document).unwrap()
    }

    fn statement(rows: Vec<StatementRow>) -> Statement {
        let account = |id: &str, name: Option<&str>| StatementAccount {
            id: id.into(),
            name: name.map(str::to_owned),
        };
        let accounts = vec![account("a", None), account("b", Some("lab"))];
        Statement { account: "a".into(), first: None, accounts, rows, next: None }
    }

    #[test]
    fn sums_close_for_each_and_the_whole() {
        let statement = statement(vec![
            row("a", "opening", "in", "5", false),
            row("a", "transfer", "in", "2.5", false),
            row("a", "draw", "out", "3", true),
            row("b", "draw", "in", "3", true),
            row("b", "channel", "out", "1", false),
        ]);
        let (each, total) = sums(&statement).unwrap();
        let closings: Vec<_> = each.iter().map(|one| one.closing().unwrap().to_string()).collect();
        assert_eq!(closings, ["4.500000000000000000", "2.000000000000000000"]);
        assert_eq!(total.closing().unwrap().to_string(), "6.500000000000000000");
        let text = totals_of(&statement, &each, &total).unwrap();
        assert!(text.contains("-3.000000000000000000") && text.contains("lab"), "{text}");
        let lines: Vec<_> = csv(&statement).lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 6);
        let expect = "1,2027-01-31T00:00:00Z,b,lab,draw,in,3,,,,,yes";
        assert_eq!(lines[4], expect);
        assert!(rows_of(&statement).contains("internal"));
    }

    #[test]
    fn rows_that_contradict_one_another_are_refused() {
        let check = |rows: Vec<StatementRow>| {
            let statement = statement(rows);
            let closed = sums(&statement).and_then(|(each, _)| each[0].closing());
            assert_eq!(closed.unwrap_err().code, ErrorCode::BadGateway);
        };
        check(vec![row("a", "draw", "out", "3", true)]);
        check(vec![row("c", "transfer", "in", "3", false)]);
        check(vec![row("a", "transfer", "out", "3", false)]);
        check(vec![row("a", "transfer", "in", "much", false)]);
    }
}
