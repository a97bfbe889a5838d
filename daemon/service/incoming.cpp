#include "daemon/service/incoming.hpp"

#include <algorithm>
#include <charconv>

#include "daemon/core/msisdn.hpp"
#include "daemon/core/sha256.hpp"
#include "daemon/dispatch/opt_out.hpp"
#include "daemon/service/events.hpp"
#include "daemon/service/intake.hpp"
#include "daemon/service/reports.hpp"

namespace conductor::service {
namespace {

using store::IncomingRow;
using store::MessageRow;
using store::Tx;

constexpr int eight_bit_ref = 0x10000;  // keeps 8- and 16-bit references apart
constexpr int waits = 0, done = 1, undecodable = 2;

std::int64_t hash_of(std::string_view octets) {
    const auto digest = sha256(octets);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) value = value << 8 | digest[i];
    return static_cast<std::int64_t>(value);
}

/// Of sender, service-centre time, part and text: the TPDU without its first octet, whose flags a network may change.
std::int64_t hash_of_tpdu(std::string_view hex) {
    std::size_t skip = 0;
    int smsc = 0;
    if (hex.size() >= 2 && std::from_chars(hex.data(), hex.data() + 2, smsc, 16).ec == std::errc{}) {
        const auto tpdu = 2 + 2 * static_cast<std::size_t>(smsc);
        if (tpdu + 2 <= hex.size()) skip = tpdu + 2;
    }
    return hash_of(hex.substr(skip));
}

/// Sets its fingerprint: the service centre's second and the half of its hash, so that what arrives together stands together in the index
/// and a report costs no page of its own. Two PDUs that share both are told apart by their octets.
bool is_known(Tx& tx, IncomingRow& in, std::optional<WallTime> stamp) {
    in.fingerprint = hash_of_tpdu(in.hex);
    if (!stamp) return store::incoming_octets(tx, in.fingerprint).has_value();
    const auto hash = in.fingerprint;
    in.fingerprint =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(to_ms(*stamp) / 1000) << 32 | (static_cast<std::uint64_t>(hash) >> 32));
    for (;; ++in.fingerprint) {
        const auto stored = store::incoming_octets(tx, in.fingerprint);
        if (!stored) return false;
        if (stored->empty() || hash_of_tpdu(*stored) == hash) return true;
    }
}

std::string sender_of(const pdu::Deliver& deliver, const config::Config& config) {
    if (deliver.from.ton == pdu::Ton::alphanumeric) return deliver.from.digits;
    const auto number = parse_msisdn(deliver.from.digits, config.gateway.region);
    return number ? number->text : deliver.from.digits;
}

/// The answer to a wish, unless the loop guard forbids it. Its key makes it one per inbound message.
void answer(Tx& tx, const Env& env, const MessageRow& inbound, dispatch::Wish wish, bool was_out, WallTime now, Arrived& arrived) {
    const auto text = dispatch::answer_to(wish, env.config.opt_out);
    if (text.empty()) return;
    const auto given = store::answers_since(tx, inbound.phone_number, text, now - std::chrono::hours{24});
    const dispatch::AnswerHistory history{.opted_out = was_out, .same_last_day = given.same, .all_last_day = given.all};
    if (!dispatch::may_answer(wish, history)) return;
    NewMessage reply;
    reply.to = inbound.phone_number;
    reply.text = text;
    reply.key = std::string{own_answer_key} + derived_uuid(env, "message", inbound.id.value);
    reply.message_class = MessageClass::reply;
    reply.in_reply_to = inbound.id;
    reply.modem_index = inbound.modem_index;
    auto row = make_row(env, reply, now);
    if (!row) return;  // an alphanumeric sender cannot be answered
    store::insert(tx, *row);
    arrived.wants_sending = true;
}

/// Asks in free words to be let alone; the number is one that could be written to.
bool revokes(const Env& env, const MessageRow& inbound) {
    return dispatch::wish_of(inbound.content, env.config.opt_out) == dispatch::Wish::revoke &&
           parse_msisdn(inbound.phone_number, env.config.gateway.region);
}

/// A START that was written before the STOP on record: it lay in a modem or at a centre since, and changes nothing. A STOP is obeyed
/// whatever its time.
bool before_stop(Tx& tx, const MessageRow& start, const store::OptOutRow& stop) {
    if (!start.modem_timestamp) return false;
    const auto said = stop.actor == "recipient" ? store::inbound_of(tx, start.phone_number, stop.at) : std::nullopt;
    if (said && said->modem_timestamp) return *start.modem_timestamp + std::chrono::minutes{1} < *said->modem_timestamp;
    return *start.modem_timestamp + std::chrono::hours{1} < stop.at;  // by our clock
}

void obey(Tx& tx, const Env& env, const MessageRow& inbound, WallTime now, Arrived& arrived) {
    using dispatch::Wish;
    const Wish wish = dispatch::wish_of(inbound.content, env.config.opt_out);
    if (wish == Wish::none) return;
    if (!parse_msisdn(inbound.phone_number, env.config.gateway.region)) return;  // a name is no number that could be written to
    const auto before = store::find_opt_out(tx, inbound.phone_number);
    const bool was_out = before && before->active;
    if (wish == Wish::help) return answer(tx, env, inbound, wish, was_out, now, arrived);
    const bool out = wish != Wish::start;
    if (!out && (!was_out || before_stop(tx, inbound, *before))) return;
    const store::OptOutRow row{.phone = inbound.phone_number,
                               .active = out,
                               .reason = wish == Wish::revoke ? std::string{reason_revoked} : (out ? "stop" : "start"),
                               .actor = "recipient",
                               .at = now};
    store::set_opt_out(tx, row);
    if (wish == Wish::revoke)
        store::audit(tx, now, "recipient", "review", inbound.phone_number,
                     "revoked in free words, inbound " + std::to_string(inbound.id.value));
    tell_supabase_opt_out(tx, env, row);
    // said again, it ends what was said in between: a reply answers what comes after it
    if (out) std::ranges::move(suppress_queued(tx, env, inbound.phone_number, now), std::back_inserter(arrived.changed));
    answer(tx, env, inbound, wish, was_out, now, arrived);
}

/// U+0000 cannot be kept by everything that a text goes through (PostgreSQL refuses it, C strings end there): U+FFFD stands for it. The
/// PDU is kept as it came.
std::string without_nul(std::string text) {
    constexpr std::string_view replacement = "\xEF\xBF\xBD";
    for (auto at = text.find('\0'); at != text.npos; at = text.find('\0', at + replacement.size())) text.replace(at, 1, replacement);
    return text;
}

/// What the parts say; of a compressed text its octets.
std::string content_of(const pdu::Deliver& first, std::span<const std::optional<pdu::UserData>> parts) {
    if (!first.dcs.compressed) return sms::join(parts, first.dcs.alphabet);
    std::string hex;
    for (const auto& part : parts) hex += part ? pdu::to_hex(part->octets) : "";
    return hex;
}

/// A whole inbound message: its row, its link to what it answers, and what it asks for.
void deliver_message(Tx& tx, const Env& env, const pdu::Deliver& first, const IncomingRow& in, std::string text, int parts, bool gaps,
                     WallTime now, Arrived& arrived) {
    MessageRow row;
    row.direction = Direction::inbound;
    row.message_class = MessageClass::reply;
    row.phone_number = in.sender;
    row.content = without_nul(std::move(text));
    row.encoding = first.dcs.alphabet == pdu::Alphabet::ucs2    ? Encoding::ucs2
                   : first.dcs.alphabet == pdu::Alphabet::data8 ? Encoding::data8
                                                                : Encoding::gsm7;
    row.segments = parts;
    row.status = MessageStatus::unread;
    row.modem_index = in.modem_index;
    row.iccid = in.iccid;
    row.timestamp = now;
    row.not_before = now;
    row.modem_timestamp = first.time.utc();
    if (gaps) row.reason = "parts-missing";
    if (first.dcs.compressed) {
        row.reason = "compressed";
        row.reason_text = "The text is compressed (TS 23.042), which is not read here; its octets: " + std::exchange(row.content, {});
    }
    if (revokes(env, row)) row.reason = std::string{reason_revoked};  // a person should read it
    if (const auto last = store::last_sent_to(tx, in.sender)) row.in_reply_to = last->id;
    store::insert(tx, row);
    arrived.message = row.id;
    tell_supabase_inbound(tx, env, row, parts, now);
    obey(tx, env, row, now, arrived);
}

/// Some centres and modems fill up behind the last field: what is there is cut off.
Result<pdu::Pdu> decode_padded(std::string_view hex) {
    auto pdu = pdu::decode_hex(hex, pdu::Way::mobile_terminated);
    if (pdu || !pdu.error().is(pdu::PduErrc::trailing)) return pdu;
    const auto end = pdu::octet_of(pdu.error());
    return end ? pdu::decode_hex(hex.substr(0, 2 * *end), pdu::Way::mobile_terminated) : pdu;
}

/// What nobody can read is shown to people as an inbound message without sender and text, with its octets. Bots and Supabase are not told.
void show_undecodable(Tx& tx, const IncomingRow& in, std::string_view why, WallTime now, Arrived& arrived) {
    MessageRow row;
    row.direction = Direction::inbound;
    row.message_class = MessageClass::reply;
    row.status = MessageStatus::unread;
    row.modem_index = in.modem_index;
    row.iccid = in.iccid;
    row.timestamp = now;
    row.not_before = now;
    row.reason = std::string{store::reason_undecodable};
    row.reason_text = fmt::format("{} at {}: {}", in.kind == 1 ? "report" : "message", why, in.hex);
    store::insert(tx, row);
    arrived.unreadable = row.id;
}

const pdu::Deliver* as_deliver(const Result<pdu::Pdu>& pdu) {
    return pdu ? std::get_if<pdu::Deliver>(&pdu->tpdu) : nullptr;
}

/// A phone hands its parts to the service centre back to back. What lies further apart is of another message with the same reference.
bool sent_together(const pdu::Deliver& one, const pdu::Deliver& other) {
    const auto a = one.time.utc(), b = other.time.utc();
    return !a || !b || std::chrono::abs(*a - *b) <= std::chrono::minutes{10};
}

/// Joins the rows of one concatenated message (any order, newest of each sequence number) and finishes them. Rows of another message
/// that happens to have the same reference stay. False when nothing came of it.
bool assemble(Tx& tx, const Env& env, const std::vector<IncomingRow>& rows, bool incomplete, WallTime now, Arrived& arrived) {
    const int total = rows.back().total;
    std::vector<std::optional<pdu::UserData>> data(static_cast<std::size_t>(total));
    std::optional<pdu::Deliver> first, newest;
    std::vector<const IncomingRow*> used;
    for (auto it = rows.rbegin(); it != rows.rend(); ++it) {
        if (it->total != total) continue;
        auto& slot = data[static_cast<std::size_t>(it->seq) - 1];
        if (slot) continue;
        const auto decoded = decode_padded(it->hex);
        const auto* deliver = as_deliver(decoded);
        if (!deliver) continue;
        if (!newest) newest = *deliver;
        if (!sent_together(*newest, *deliver)) continue;
        slot = deliver->data;
        if (!first || it->seq == 1) first = *deliver;
        used.push_back(&*it);
    }
    const bool whole = std::ranges::all_of(data, [](const auto& d) { return d.has_value(); });
    if (!first || (!whole && !incomplete)) return false;
    deliver_message(tx, env, *first, rows.back(), content_of(*first, data), total, !whole, now, arrived);
    for (const auto* row : used) store::finish_incoming(tx, row->id, done, arrived.message);
    return true;
}

void take_message(Tx& tx, const Env& env, const pdu::Deliver& deliver, IncomingRow& in, WallTime now, Arrived& arrived) {
    in.sender = sender_of(deliver, env.config);
    const auto concat = pdu::find_concat(deliver.data.udh);
    if (concat && concat->total > 1) {
        in.ref = concat->ref | (concat->wide ? 0 : eight_bit_ref);
        in.total = concat->total;
        in.seq = concat->seq;
    }
    arrived.duplicate = is_known(tx, in, deliver.time.utc());
    if (in.ref) {
        if (!arrived.duplicate) arrived.duplicate = !store::insert_incoming(tx, in);
        if (!arrived.duplicate) assemble(tx, env, store::open_parts(tx, in.sender, *in.ref), false, now, arrived);
        return;
    }
    if (arrived.duplicate) return;
    const std::optional<pdu::UserData> whole[] = {deliver.data};
    deliver_message(tx, env, deliver, in, deliver.dcs.compressed ? content_of(deliver, whole) : deliver.data.text, 1, false, now, arrived);
    in.state = done;
    in.message = arrived.message;
    store::insert_incoming(tx, in);
}

void take_report(Tx& tx, const Env& env, const pdu::StatusReport& report, IncomingRow& in, WallTime now, Arrived& arrived) {
    in.kind = 1;
    in.sender = recipient_of(report, env.config);
    arrived.duplicate = is_known(tx, in, report.discharge.utc());
    if (arrived.duplicate) return;
    // stored once, as it ends: a row that waits first would cost a page more
    if (auto changed = apply_report(tx, env, report, in.iccid, now); !changed.empty()) {
        in.state = done;
        in.message = changed.front().id;
        std::ranges::move(changed, std::back_inserter(arrived.changed));
    }
    store::insert_incoming(tx, in);
}

IncomingRow row_of(const driver::Incoming& incoming, WallTime now) {
    return {.kind = incoming.kind == driver::Incoming::Kind::report ? 1 : 0,
            .modem_index = incoming.modem_index,
            .iccid = incoming.by.iccid,
            .hex = incoming.hex,
            .received_at = now,
            .state = waits};
}

/// Kept raw, so that a better decoder can read it later.
void call_undecodable(IncomingRow& row) {
    row.fingerprint = hash_of(row.hex);  // all its octets
    row.state = undecodable;
}

}  // namespace

Arrived take_in(Tx& tx, const Env& env, const driver::Incoming& incoming, WallTime now) {
    Arrived arrived;
    IncomingRow row = row_of(incoming, now);
    const auto pdu = decode_padded(incoming.hex);
    if (const auto* deliver = as_deliver(pdu)) {
        take_message(tx, env, *deliver, row, now, arrived);
    } else if (const auto* report = pdu ? std::get_if<pdu::StatusReport>(&pdu->tpdu) : nullptr) {
        take_report(tx, env, *report, row, now, arrived);
    } else {
        call_undecodable(row);
        arrived.undecodable = true;
        arrived.duplicate = !store::insert_incoming(tx, row);
        if (arrived.duplicate) return arrived;
        show_undecodable(tx, row, pdu ? "not for a receiver" : pdu.error().text(), now, arrived);
        store::finish_incoming(tx, row.id, undecodable, arrived.unreadable);
    }
    return arrived;
}

Arrived keep_raw(Tx& tx, const driver::Incoming& incoming, const Error& why, WallTime now) {
    Arrived arrived;
    IncomingRow row = row_of(incoming, now);
    call_undecodable(row);
    arrived.undecodable = true;
    arrived.duplicate = !store::insert_incoming(tx, row);
    if (arrived.duplicate) return arrived;
    store::audit(tx, now, "daemon", "store-failed", "incoming", why.text());
    tx.alone([&] { show_undecodable(tx, row, "the database refused it: " + why.text(), now, arrived); });
    return arrived;
}

std::vector<Arrived> give_up_parts(Tx& tx, const Env& env, WallTime before, WallTime now, int limit) {
    std::vector<Arrived> all;
    std::vector<std::pair<std::string, int>> seen;
    for (const auto& stale : store::stale_parts(tx, before, limit)) {
        if (!stale.ref || std::ranges::find(seen, std::pair{stale.sender, *stale.ref}) != seen.end()) continue;
        seen.emplace_back(stale.sender, *stale.ref);
        auto rows = store::open_parts(tx, stale.sender, *stale.ref);
        if (rows.empty() || rows.back().received_at >= before) continue;  // a part came lately: more may follow
        Arrived arrived;
        bool shown = false;
        const auto failed = tx.alone([&] { shown = assemble(tx, env, rows, true, now, arrived); });
        if (tx.failed()) return all;
        if (failed) arrived = {};
        if (!shown || failed)
            for (const auto& row : rows) store::finish_incoming(tx, row.id, undecodable, std::nullopt);
        all.push_back(std::move(arrived));
    }
    return all;
}

}  // namespace conductor::service
