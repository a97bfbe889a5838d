// Retention: 500 days of traffic, and what of it is left.
#include "daemon/service/housekeeping.hpp"

#include <filesystem>
#include <fstream>

#include "tests/unit/daemon/service/box.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

namespace {

std::int64_t value(Box& box, const char* sql) {
    return box.run([&](Tx& tx) {
        store::Rows q = tx.query(sql);
        return q.next() ? q.i64(0) : -1;
    });
}

MessageId inbound_row(Box& box, MessageStatus status) {
    return box.run([&](Tx& tx) {
        MessageRow row;
        row.direction = Direction::inbound;
        row.message_class = MessageClass::reply;
        row.phone_number = other_phone;
        row.content = std::string(120, 'y');
        row.status = status;
        row.timestamp = row.not_before = box.now;
        store::insert(tx, row);
        return row.id;
    });
}

void raw_pdu(Box& box, std::int64_t fingerprint, int state) {
    box.run([&](Tx& tx) {
        store::IncomingRow row{.fingerprint = fingerprint,
                               .iccid = Box::iccid_of(0),
                               .hex = std::string(300, '0'),
                               .received_at = box.now,
                               .sender = other_phone,
                               .state = state};
        store::insert_incoming(tx, row);
    });
}

/// Sweeps until there is nothing to do; how many transactions it took.
int sweep_all(Box& box, Sweep& at, int limit) {
    for (int n = 1;; ++n) {
        const auto swept = box.run([&](Tx& tx) { return sweep(tx, box.env.config.retention, at, box.now, limit); });
        CHECK(swept.messages <= limit);
        CHECK(swept.attempts <= limit);
        CHECK(swept.incoming <= limit);
        CHECK(swept.pages <= limit);
        if (!swept.more) return n;
    }
}

}  // namespace

TEST_CASE("retention: 500 days") {
    Box box;
    const auto first_day = box.now;
    const auto waiting = box.add("queued for a year and more");
    box.run([&](Tx& tx) {
        auto row = *store::find(tx, waiting);
        row.not_before = *(row.due_at = box.now + 24h * 600);
        row.expires_at = *row.due_at + 24h;
        row.ready = false;
        store::update(tx, row);
        store::set_opt_out(tx, {.phone = other_phone, .active = true, .reason = "stop", .actor = "recipient", .at = box.now});
        store::set_consent(tx, {.phone = phone, .active = true, .source = "api", .shown = {}, .actor = "test", .at = box.now});
        store::push_outbox(tx, store::Stream::report, "event", "{}");
    });
    const auto unread = inbound_row(box, MessageStatus::unread);
    Sweep at;
    std::int64_t most_pages = 0;
    std::int64_t fingerprint = 0;
    for (int day = 0; day < 500; ++day) {
        box.now = first_day + 24h * day;
        for (int n = 0; n < 3; ++n) {
            const auto id = box.sent(n, "day " + std::to_string(day) + " no. " + std::to_string(n), "+1555010" + std::to_string(1000 + n));
            box.run([&](Tx& tx) {
                auto row = *store::find(tx, id);
                row.status = MessageStatus::delivered;
                row.delivery_status = DeliveryStatus::delivered;
                save(tx, box.env, row, box.now);
            });
        }
        inbound_row(box, MessageStatus::read);
        for (int n = 0; n < 3; ++n) raw_pdu(box, ++fingerprint, 1);
        if (day % 7 == 0) at = {};  // it starts over now and then
        sweep_all(box, at, 50);
        if (day == 440) most_pages = value(box, "PRAGMA page_count");
    }
    const auto before = to_ms(box.now - 24h * 400);
    CHECK(value(box,
                ("SELECT count(*) FROM messages WHERE direction = 0 AND status = 3 AND created_at < " + std::to_string(before)).c_str()) ==
          0);
    CHECK(value(box, "SELECT count(*) FROM messages WHERE direction = 0 AND status = 3") == 3 * 401);
    CHECK(value(box, "SELECT count(*) FROM messages WHERE direction = 1 AND status = 21") == 401);
    CHECK(value(box, "SELECT count(*) FROM attempts") == 3 * 401);
    CHECK(value(box, "SELECT count(*) FROM incoming WHERE hex <> ''") == 3 * 31);
    CHECK(value(box, "SELECT count(*) FROM incoming") == 3 * 401);
    CHECK(box.status(waiting) == "queued");
    CHECK(box.status(unread) == "unread");
    CHECK(value(box, "SELECT count(*) FROM opt_outs WHERE active = 1") == 1);
    CHECK(value(box, "SELECT count(*) FROM consents WHERE active = 1") == 1);
    CHECK(value(box, "SELECT count(*) FROM outbox WHERE event_id = 'event'") == 1);
    CHECK(value(box, "SELECT count(*) FROM audit") == 2);
    CHECK(value(box, "PRAGMA page_count") <= most_pages + most_pages / 20 + 2100);
}

TEST_CASE("retention: what is young, open or the newest stays, whatever the configuration says") {
    Box box;
    box.env.config.retention.messages = 1h;
    box.env.config.retention.raw_pdus = 1h;
    const auto sent = box.sent(1, "waits for its report");
    const auto failed = box.add("failed");
    box.run([&](Tx& tx) {
        auto row = *store::find(tx, failed);
        row.status = MessageStatus::failed;
        row.ready = false;
        save(tx, box.env, row, box.now);
    });
    raw_pdu(box, 1, 1);
    raw_pdu(box, 2, 0);
    raw_pdu(box, 3, 2);
    raw_pdu(box, 4, 1);
    box.run([](Tx& tx) { tx.run("UPDATE incoming SET kind = 1 WHERE fingerprint = 4"); });
    raw_pdu(box, 5, 1);
    inbound_row(box, MessageStatus::read);
    Sweep at;
    box.now += 24h * 30;
    sweep_all(box, at, 10);
    CHECK(value(box, "SELECT count(*) FROM messages") == 3);  // limits look back 31 days
    const auto pdus = [&](const std::string& which) {
        return value(box,
                     ("SELECT group_concat(fingerprint, '') FROM (SELECT fingerprint FROM incoming" + which + " ORDER BY id)").c_str());
    };
    CHECK(pdus(" WHERE hex <> ''") == 25);
    CHECK(pdus("") == 1235);
    box.now += 24h * 2;
    CHECK(box.run([&](Tx& tx) { return wants_sweep(tx, box.env.config.retention, at, box.now); }));
    sweep_all(box, at, 10);
    CHECK_FALSE(box.run([&](Tx& tx) { return wants_sweep(tx, box.env.config.retention, at, box.now); }));
    CHECK(box.status(sent) == "sent");
    CHECK(value(box, "SELECT count(*) FROM messages") == 2);  // the failed one went; the inbound one is the newest row
    CHECK(value(box, "SELECT count(*) FROM attempts") == 1);
}

TEST_CASE("retention: freed pages go back to the disk, a few at a time") {
    Box box;
    box.run([&](Tx& tx) {
        for (int n = 0; n < 20'000; ++n) store::push_outbox(tx, store::Stream::report, "e", std::string(500, 'x'));
    });
    const auto full = value(box, "PRAGMA page_count");
    box.run([&](Tx& tx) { tx.run("DELETE FROM outbox"); });
    CHECK(value(box, "PRAGMA page_count") == full);
    Sweep at;
    const int steps = sweep_all(box, at, 500);
    CHECK(steps > 5);
    CHECK(value(box, "PRAGMA page_count") < full / 3);
    CHECK(value(box, "PRAGMA freelist_count") <= 2000);
}

TEST_CASE("backups: the older ones go only where today's is there") {
    namespace fs = std::filesystem;
    std::string name = (fs::temp_directory_path() / "conductor-care-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    const fs::path folder = name, backups = folder / "backups";
    const auto database = (folder / "conductor.db").string();
    {
        auto opened = store::Connection::open(database);
        REQUIRE(opened.has_value());
        REQUIRE(store::migrate(**opened).has_value());
    }
    fs::create_directory(backups);
    const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::file_clock::to_sys(fs::last_write_time(database)));
    const auto old = backups / "conductor-2026-01-01.db", young = backups / "conductor-2026-11-01.db", other = backups / "notes.txt";
    for (const auto& file : {old, young, other}) std::ofstream{file} << "a good copy";
    for (const auto& file : {old, other}) fs::last_write_time(file, std::chrono::file_clock::from_sys(now - 31 * 24h));
    const auto whole = [&] {
        std::ifstream in{database, std::ios::binary};
        return std::string{std::istreambuf_iterator<char>{in}, {}};
    }();
    FileCare care;
    SUBCASE("a damaged database") {
        std::ofstream{database, std::ios::binary} << whole.substr(0, 4096) << std::string(whole.size() - 4096, 'x');
        care_for_file(database, {}, now, care);
        CHECK_FALSE(care.damage.empty());
        CHECK(care.backup.empty());
        CHECK(fs::exists(old));
    }
    SUBCASE("no copy can be made") {
        fs::create_directory(backups / ("conductor-" + to_rfc3339(now).substr(0, 10) + ".db.part"));
        std::ofstream{backups / ("conductor-" + to_rfc3339(now).substr(0, 10) + ".db.part/in-the-way")} << "x";
        care_for_file(database, {}, now, care);
        CHECK(care.damage.empty());
        CHECK_FALSE(care.problem.empty());
        CHECK(fs::exists(old));
    }
    SUBCASE("a small card: the oldest make room, but for the newest three") {
        constexpr std::uintmax_t mib = 1U << 20;
        std::vector<fs::path> files{young, old};
        for (int n = 2; n < 5; ++n) {
            files.insert(files.begin(), backups / ("conductor-2026-11-0" + std::to_string(n) + ".db"));
            std::ofstream{files.front()} << "a good copy";
        }
        for (int age = 6; const auto& file : files) {  // newest first
            fs::resize_file(file, mib);
            fs::last_write_time(file, std::chrono::file_clock::from_sys(now - age++ * 24h));
        }
        const auto wanted = 3 * fs::file_size(database) + 16 * mib;
        std::uintmax_t empty = 0;
        const auto room = [&](const fs::path&) {
            std::uintmax_t used = 0;
            for (const auto& file : files) used += fs::exists(file) ? mib : 0;
            return empty - used;
        };
        empty = wanted + 3 * mib - 1;  // with the newest three it is an octet too small
        care_for_file(database, {}, now, care, room);
        CHECK(care.problem.find("no room") != std::string::npos);
        for (const auto& file : files) CHECK(fs::exists(file));
        empty = wanted + 4 * mib;
        care_for_file(database, {.backups = 24h * 3650}, now, care, room);
        CHECK(care.problem == "");
        CHECK(fs::exists(care.backup));
        CHECK_FALSE(fs::exists(old));
    }
    SUBCASE("a good one was made") {
        care_for_file(database, {}, now, care);
        CHECK(care.damage.empty());
        CHECK(fs::exists(care.backup));
        CHECK_FALSE(fs::exists(old));
    }
    CHECK(fs::exists(young));
    CHECK(fs::exists(other));
    std::error_code ec;
    fs::remove_all(folder, ec);
}

TEST_CASE("the outbox keeps a thousand of what was refused for good, and all that waits") {
    Box box;
    box.run([](Tx& tx) {
        for (int n = 1; n <= 1500; ++n) store::push_outbox(tx, store::Stream::report, "event-" + std::to_string(n), "{}");
        for (int n = 1; n <= 1400; ++n) store::bury_outbox(tx, n, "no such job");
    });
    Sweep at;
    sweep_all(box, at, 100);
    CHECK(value(box, "SELECT count(*) FROM outbox WHERE dead IS NOT NULL") == 1000);
    CHECK(value(box, "SELECT min(id) FROM outbox WHERE dead IS NOT NULL") == 401);
    CHECK(value(box, "SELECT count(*) FROM outbox WHERE dead IS NULL") == 100);
    box.run([&](Tx& tx) { CHECK_FALSE(wants_sweep(tx, box.env.config.retention, at, box.now)); });
}
