//! How the rows of another store's tables are put into those here.

use crate::journal::copy::Table;

/// How the rows of a table are put there, which `kept` has with their bucket and their number.
pub(super) struct Shape {
    /// What they have besides, in the order in which they come.
    pub(super) columns: &'static str,
    /// Which columns of which table they fill.
    pub(super) into: &'static str,
    pub(super) select: &'static str,
    /// What else has to be known for that.
    pub(super) from: &'static str,
    pub(super) conflict: &'static str,
    /// Which row is the same.
    pub(super) same: &'static str,
}

/// The entry that a row belongs to, whatever its number is here.
const OF_ENTRY: &str =
    "JOIN ~entry entry ON entry.bucket = kept.bucket AND entry.\"order\" = kept.\"order\" AND entry.key = kept.key";

/// The sweep that a row belongs to, whatever its number is here.
const OF_SWEEP: &str = "JOIN ~sweep sweep ON sweep.op = md5('copied ' || kept.number)::uuid";

/// How the rows of this table are.
pub(super) fn shape(table: Table) -> Shape {
    match table {
        Table::Entries | Table::Deliveries | Table::Requests | Table::Attempts | Table::Events => of_orders(table),
        Table::Sweeps | Table::SweepRows => of_sweeps(table),
        Table::Refused | Table::Owners | Table::Listed | Table::Sources | Table::Audit | Table::Minutes => {
            others(table)
        }
    }
}

fn of_orders(table: Table) -> Shape {
    match table {
        Table::Deliveries => Shape {
            columns: "id, \"order\", attempts, accepted_at, transaction_id, answer_status, answer_headers, answer_body",
            into: "~delivery AS known (bucket, id, \"order\", attempts, accepted_at, transaction_id, answer_status,
                answer_headers, answer_body)",
            select: "bucket, id, \"order\", attempts, accepted_at, transaction_id, answer_status, answer_headers, answer_body",
            from: "",
            // The highest number counts, and the first acceptance.
            conflict: "(bucket, id) DO UPDATE SET attempts = greatest(known.attempts, excluded.attempts),
                accepted_at = coalesce(known.accepted_at, excluded.accepted_at),
                transaction_id = CASE WHEN known.accepted_at IS NULL THEN excluded.transaction_id ELSE known.transaction_id END,
                answer_status = CASE WHEN known.accepted_at IS NULL THEN excluded.answer_status ELSE known.answer_status END,
                answer_headers = CASE WHEN known.accepted_at IS NULL THEN excluded.answer_headers ELSE known.answer_headers END,
                answer_body = CASE WHEN known.accepted_at IS NULL THEN excluded.answer_body ELSE known.answer_body END",
            same: "~delivery same ON same.bucket = kept.bucket AND same.id = kept.id",
        },
        Table::Requests => Shape {
            columns: "\"order\", key, peer, tls, method, target, headers, body, inflated",
            into: "~request (bucket, entry, peer, tls, method, target, headers, body, inflated)",
            select: "kept.bucket, entry.id, peer, tls, method, target, headers, body, inflated",
            from: OF_ENTRY,
            conflict: "DO NOTHING",
            same: "~request same ON same.bucket = entry.bucket AND same.entry = entry.id",
        },
        Table::Attempts => Shape {
            columns: "\"order\", key, attempt, origin, began_at, ended_at, status, accepted, reason",
            into: "~attempt (bucket, entry, id, attempt, origin, began_at, ended_at, status, accepted, reason)",
            select: "kept.bucket, entry.id, number, attempt, kept.origin, began_at, ended_at, status, accepted, kept.reason",
            from: OF_ENTRY,
            conflict: "DO NOTHING",
            same: "~attempt same ON same.bucket = entry.bucket AND same.entry = entry.id AND same.id = kept.number",
        },
        Table::Events => Shape {
            columns: "\"order\", key, at, what, reason, request_id",
            into: "~event (bucket, entry, id, at, what, reason, request_id)",
            select: "kept.bucket, entry.id, number, at, what, kept.reason, kept.request_id",
            from: OF_ENTRY,
            conflict: "DO NOTHING",
            same: "~event same ON same.bucket = entry.bucket AND same.entry = entry.id AND same.id = kept.number",
        },
        _ => Shape {
            columns: "key, delivery, request_id, route, channel, \"order\", out_trade_no, claimed_transaction_id,
                claimed_total_fee, claimed_fee_type, origin, created_at, received_at, state, since, reason, due_at, rank, tries,
                asked_for, overrides, transaction_id, total_fee, fee_type, paid_at, trade_state, verified_at, confirmed_at,
                expected_fee, expected_source, expected_at, bytes",
            into: "~entry (bucket, id, key, delivery, request_id, route, channel, \"order\", out_trade_no, claimed_transaction_id,
                claimed_total_fee, claimed_fee_type, origin, created_at, received_at, state, since, reason, due_at, rank, tries,
                asked_for, overrides, transaction_id, total_fee, fee_type, paid_at, trade_state, verified_at, confirmed_at,
                expected_fee, expected_source, expected_at, bytes)",
            select: "*",
            from: "",
            conflict: "DO NOTHING",
            same: "~entry same ON same.bucket = kept.bucket AND same.\"order\" = kept.\"order\" AND same.key = kept.key",
        },
    }
}

fn of_sweeps(table: Table) -> Shape {
    match table {
        Table::SweepRows => Shape {
            columns: "mch_id, line, what, channel, \"order\", out_trade_no, transaction_id, total_fee, fee_type, refunded, entry,
                detail",
            into: "~sweep_row (sweep, line, what, channel, \"order\", out_trade_no, transaction_id, total_fee, fee_type,
                refunded, entry, detail)",
            select: "sweep.id, line, what, channel, \"order\", out_trade_no, transaction_id, total_fee, fee_type, refunded,
                entry::bigint, detail",
            from: OF_SWEEP,
            conflict: "DO NOTHING",
            same: "~sweep_row same ON same.sweep = sweep.id AND same.line = kept.line",
        },
        _ => Shape {
            columns: "id, mch_id, bill_date, channels, due_on, dry_run, asked_at, state, again_at, began_at, ended_at, problem,
                rows, paid, refunds, others, malformed, not_ours, accepted, under_way, parked, unknown, found",
            into: "~sweep (id, op, mch_id, bill_date, channels, due_on, dry_run, asked_at, state, again_at, began_at, ended_at,
                problem, rows, paid, refunds, others, malformed, not_ours, accepted, under_way, parked, unknown, found)",
            // It keeps its number, unless another has it here.
            select: "CASE WHEN EXISTS (SELECT 1 FROM ~sweep other WHERE other.id = kept.id) THEN kept.number ELSE kept.id END,
                md5('copied ' || kept.number)::uuid, mch_id, bill_date, channels, due_on, dry_run, asked_at, state, again_at,
                began_at, ended_at, problem, rows, paid, refunds, others, malformed, not_ours, accepted, under_way, parked,
                unknown, found",
            from: "",
            conflict: "DO NOTHING",
            same: "~sweep same ON same.op = md5('copied ' || kept.number)::uuid OR (same.mch_id = kept.mch_id
                AND same.bill_date = kept.bill_date AND same.due_on = kept.due_on AND same.dry_run = kept.dry_run)",
        },
    }
}

fn others(table: Table) -> Shape {
    let (columns, into, select, same) = match table {
        Table::Refused => (
            "request_id, at, route, channel, \"order\", reason, detail",
            "~refused (id, request_id, at, route, channel, \"order\", reason, detail)",
            "number, request_id, at, route, channel, \"order\", reason, detail",
            "~refused same ON same.id = kept.number",
        ),
        Table::Owners => (
            "transaction_id, channel, out_trade_no, \"order\", bound_at",
            "~payment_owner (bucket, transaction_id, channel, out_trade_no, \"order\", bound_at)",
            "bucket, transaction_id, channel, out_trade_no, \"order\", bound_at",
            "~payment_owner same ON same.bucket = kept.bucket AND same.transaction_id = kept.transaction_id",
        ),
        Table::Listed => (
            "channel, out_trade_no, source, \"order\", total_fee, listed_at, gone_at",
            "~listed (bucket, channel, out_trade_no, source, \"order\", total_fee, listed_at, gone_at)",
            "bucket, channel, out_trade_no, source, \"order\", total_fee, listed_at, gone_at",
            "~listed same ON same.bucket = kept.bucket AND same.channel = kept.channel
                AND same.out_trade_no = kept.out_trade_no AND same.source = kept.source",
        ),
        Table::Sources => (
            "name, read_at, failed_at, failures, problem, orders, malformed",
            "~source (name, read_at, failed_at, failures, problem, orders, malformed)",
            "name, read_at, failed_at, failures, problem, orders, malformed",
            "~source same ON same.name = kept.name",
        ),
        Table::Minutes => (
            "at, outcomes, verdicts, latencies",
            "~minute (at, incarnation, op, outcomes, verdicts, latencies)",
            "at, 0, 0, outcomes, verdicts, latencies",
            "~minute same ON same.at = kept.at AND same.incarnation = 0",
        ),
        _ => (
            "at, who, came_from, action, channel, \"order\", entries, outcome, because",
            "~audit (id, at, who, came_from, action, channel, \"order\", entries, outcome, because)",
            "number, at, who, came_from, action, channel, \"order\", entries, outcome, because",
            "~audit same ON same.id = kept.number",
        ),
    };
    Shape { columns, into, select, from: "", conflict: "DO NOTHING", same }
}
