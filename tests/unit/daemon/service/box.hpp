#pragma once
// A gateway without Asio: a database in memory, a configuration and a time. Each step of it is one write transaction, as on the store's
// thread; the modems are the test.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/service/incoming.hpp"
#include "daemon/service/intake.hpp"
#include "daemon/service/ledger.hpp"
#include "modem/sms/sms.hpp"

namespace conductor::service::test {

using namespace std::chrono_literals;
using driver::Ending;
using store::MessageRow;
using store::Tx;

inline const std::string phone = "+15550100123", other_phone = "+15550100124";

/// What left through a modem: filled by Box::submit.
struct Sent {
    std::int64_t token = 0;
    ModemIndex modem = 0;
    MessageId message;
    pdu::Submit tpdu;
    bool more_follow = false;
};

struct Box {
    std::unique_ptr<store::Connection> db;
    Env env;
    WallTime now = *parse_rfc3339("2026-11-24T18:00:00Z");  // a Tuesday, 10:00 in Los Angeles, 13:00 in New York
    bool paused = false;

    Box() {
        auto opened = store::Connection::open(":memory:");
        REQUIRE(opened.has_value());
        db = std::move(*opened);
        REQUIRE(store::migrate(*db).has_value());
        env.instance = "00000000-0000-4000-8000-000000000001";
        auto& config = env.config;
        config.gateway.id = "box-1";
        config.send.retry.jitter = 0;
        config.send.window = {0, 1440};
        config.send.days = 0b1111111;
        config.opt_out.brand = "Example Shop";
        config.supabase.emplace();
        for (int index : {0, 1}) config.modems.push_back({.index = index, .imei = "35000000000000" + std::to_string(index)});
    }

    /// One transaction; the job must not fail.
    template <class Job>
    auto run(Job job) {
        REQUIRE(db->execute("BEGIN IMMEDIATE").has_value());
        Tx tx{*db};
        if constexpr (std::is_void_v<decltype(job(tx))>) {
            job(tx);
            finish(tx);
        } else {
            auto value = job(tx);
            finish(tx);
            return value;
        }
    }
    /// What a job costs the database, in steps of its machine: it grows with the rows that are looked at.
    template <class Job>
    std::int64_t steps_of(Job job) {
        constexpr int every = 100;
        std::int64_t steps = 0;
        const auto count = [](void* to) { return *static_cast<std::int64_t*>(to) += every, 0; };
        sqlite3_progress_handler(db->handle(), every, count, &steps);
        run([&](Tx& tx) { static_cast<void>(job(tx)); });
        sqlite3_progress_handler(db->handle(), 0, nullptr, nullptr);
        return steps;
    }
    /// So many finished messages to `to`, in the history.
    void history(int messages, const std::string& to, MessageStatus status = MessageStatus::failed) {
        run([&](Tx& tx) {
            MessageRow row;
            row.phone_number = to;
            row.content = "Long ago.";
            row.status = status;
            row.direction = status == MessageStatus::read ? Direction::inbound : Direction::outbound;
            row.timestamp = row.not_before = now - 24h * 100;
            for (int n = 0; n < messages; ++n) store::insert(tx, row);
        });
    }
    void finish(Tx& tx) {
        if (tx.failed()) FAIL(tx.error()->text());
        REQUIRE(db->execute("COMMIT").has_value());
    }

    static std::string iccid_of(ModemIndex modem) { return "894900000000000000" + std::to_string(modem); }

    api::Answer<Taken> take(NewMessage message) {
        return run([&](Tx& tx) { return service::take(tx, env, message, now, store::count_open(tx)); });
    }
    /// A transactional message that must be accepted.
    MessageId add(std::string text = "Your order is ready.", std::string to = phone) {
        NewMessage message;
        message.to = std::move(to);
        message.text = std::move(text);
        message.message_class = MessageClass::transactional;
        return add(message);
    }
    MessageId add(const NewMessage& message) {
        const auto taken = take(message);
        if (!taken) FAIL(taken.error().code);
        return taken->row.id;
    }
    static std::string text_of(int segments) { return std::string(static_cast<std::size_t>(153 * segments), 'x'); }

    MessageRow row(MessageId id) {
        auto found = run([&](Tx& tx) { return store::find(tx, id); });
        REQUIRE(found.has_value());
        return *found;
    }
    /// "1:sent 2:waiting"
    std::string parts(MessageId id) {
        std::string out;
        for (const Part& p : row(id).parts)
            out += (out.empty() ? "" : " ") + std::to_string(p.seq) + ":" + std::string{to_string(p.status)};
        return out;
    }
    std::string status(MessageId id) { return std::string{to_string(row(id).status)}; }
    std::string reason(MessageId id) { return row(id).reason.value_or(""); }

    PickAnswer pick(ModemIndex modem, std::optional<driver::SubmitOutcome> finished = {}, bool available = true) {
        return run([&](Tx& tx) {
            return settle_and_pick(tx, env,
                                   {.modem = modem,
                                    .iccid = iccid_of(modem),
                                    .finished = finished,
                                    .available = available,
                                    .paused = paused,
                                    .granted = granted,
                                    .now = now});
        });
    }
    /// The next submission of a modem, read back from its PDU.
    static std::optional<Sent> sent_of(const PickAnswer& answer, ModemIndex modem) {
        if (!answer.submission) return std::nullopt;
        const auto pdu = pdu::decode(answer.submission->pdu.octets, pdu::Way::mobile_originated);
        REQUIRE(pdu.has_value());
        return Sent{answer.submission->token, modem, answer.message, std::get<pdu::Submit>(pdu->tpdu), answer.submission->more_follow};
    }
    std::optional<Sent> submit(ModemIndex modem) { return sent_of(pick(modem), modem); }
    Sent must_submit(ModemIndex modem) {
        auto sent = submit(modem);
        REQUIRE(sent.has_value());
        return *sent;
    }

    static driver::SubmitOutcome accepted(std::int64_t token, int tp_mr) {
        return {.token = token, .ending = Ending::accepted, .tp_mr = tp_mr, .reason = {}, .cms = {}, .cme = {}};
    }
    static driver::SubmitOutcome refused(std::int64_t token, int cms) {
        return {.token = token, .ending = Ending::refused, .tp_mr = -1, .reason = "cms-" + std::to_string(cms), .cms = cms, .cme = {}};
    }
    static driver::SubmitOutcome ambiguous(std::int64_t token, std::string reason = "timeout") {
        return {.token = token, .ending = Ending::ambiguous, .tp_mr = -1, .reason = std::move(reason), .cms = {}, .cme = {}};
    }
    static driver::SubmitOutcome not_sent(std::int64_t token, std::string reason = "no-prompt") {
        return {.token = token, .ending = Ending::not_sent, .tp_mr = -1, .reason = std::move(reason), .cms = {}, .cme = {}};
    }
    /// Settles alone: the modem takes nothing more.
    PickAnswer settle(ModemIndex modem, driver::SubmitOutcome outcome) { return pick(modem, std::move(outcome), false); }
    /// Sends a one-part message through modem 0 and settles it as accepted.
    MessageId sent(int tp_mr, std::string text = "Your order is ready.", std::string to = phone) {
        const auto id = add(std::move(text), std::move(to));
        const auto s = must_submit(0);
        REQUIRE(s.message == id);
        settle(0, accepted(s.token, tp_mr));
        return id;
    }

    Arrived take_in(const std::string& hex, ModemIndex modem = 0) {
        driver::Incoming incoming;
        incoming.hex = hex;
        incoming.modem_index = modem;
        incoming.by.iccid = iccid_of(modem);
        return run([&](Tx& tx) { return service::take_in(tx, env, incoming, now); });
    }

    /// What waits for Supabase, oldest first: "kind/delivery_status" of reports, "inbound" of messages; and empties it.
    std::vector<std::string> told() {
        std::vector<std::string> out;
        for (const auto& body : told_bodies())
            out.push_back(body.value("kind", "inbound") +
                          (body.contains("delivery_status") ? "/" + body["delivery_status"].get<std::string>() : ""));
        return out;
    }
    std::vector<nlohmann::json> told_bodies() {
        return run([&](Tx& tx) {
            std::vector<nlohmann::json> out;
            for (const auto stream : {store::Stream::report, store::Stream::inbound})
                for (const auto& event : store::peek_outbox(tx, stream, 1000, 1 << 24)) {
                    CHECK_MESSAGE(event_ids.insert(event.event_id).second, "an event id came twice");
                    out.push_back(nlohmann::json::parse(event.body));
                    store::drop_outbox(tx, event.id);
                }
            return out;
        });
    }
    std::set<std::string> event_ids;
    std::shared_ptr<Granted> granted = std::make_shared<Granted>();
};

inline NewMessage marketing(std::string text, std::string to = phone) {
    NewMessage m;
    m.to = std::move(to);
    m.text = std::move(text);
    m.message_class = MessageClass::marketing;
    m.consent = true;
    return m;
}

inline std::string hex_of(pdu::Tpdu tpdu) {
    const auto encoded = pdu::encode(pdu::Pdu{.smsc = pdu::address_of("+15550100900"), .tpdu = std::move(tpdu)});
    REQUIRE(encoded.has_value());
    return encoded->hex();
}

inline pdu::Timestamp stamp(int second, int minute = 0) {
    return {.year = 2026, .month = 11, .day = 24, .hour = 18, .minute = minute, .second = second};
}

inline MessageId add_with(Box& box, OnUnknown policy, std::string text = "Your order is ready.") {
    NewMessage m;
    m.to = phone;
    m.text = std::move(text);
    m.message_class = MessageClass::transactional;
    m.on_unknown = policy;
    return box.add(m);
}

/// A text that comes in; several PDUs when it is long. `second` is the service centre's time, `ref` the concatenation reference.
inline std::vector<std::string> inbound(const std::string& text, const std::string& from = phone, int second = 0, int ref = 7,
                                        bool wide = false, int minute = 0) {
    sms::SegmentOptions options;
    options.ref = static_cast<std::uint16_t>(ref);
    options.wide_ref = wide;
    const auto segments = sms::segment(text, options);
    REQUIRE(segments.has_value());
    std::vector<std::string> out;
    for (const auto& segment : segments->segments) {
        pdu::Deliver deliver;
        deliver.from = pdu::address_of(from);
        deliver.dcs = pdu::parse_dcs(pdu::make_dcs(segments->alphabet));
        deliver.time = stamp(second, minute);
        deliver.data = segment.data;
        out.push_back(hex_of(deliver));
    }
    return out;
}

inline std::string report(int tp_mr, int tp_st, const std::string& to = phone, int second = 30, int day = 24) {
    pdu::StatusReport r;
    r.mr = static_cast<std::uint8_t>(tp_mr);
    r.recipient = pdu::address_of(to);
    r.time = stamp(0);
    r.discharge = stamp(second);
    r.time.day = r.discharge.day = day;
    r.status = static_cast<std::uint8_t>(tp_st);
    return hex_of(r);
}

constexpr int st_delivered = 0x00, st_unconfirmed = 0x01, st_trying = 0x20, st_failed = 0x41, st_expired = 0x46;

}  // namespace conductor::service::test
