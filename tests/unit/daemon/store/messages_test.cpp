// The queue and the history: what is written is read back, in the order that a modem needs.
#include "daemon/store/messages.hpp"

#include "tests/unit/daemon/store/fixture.hpp"

using namespace conductor;
using namespace conductor::store;
using namespace conductor::store::test;
using namespace std::chrono_literals;

namespace {

/// The ready rows of one lane in the order in which they go out.
std::vector<MessageRow> ready_rows(Tx& tx, std::uint64_t lane, int limit) {
    std::vector<MessageId> found;
    for (const auto& queue : ready_queues(tx)) {
        if (queue.lane != lane) continue;
        first_ready(tx, queue, limit, [&](const Ranked& one) {
            found.push_back(one.id);
            return false;
        });
    }
    std::vector<MessageRow> rows;
    for (const auto id : found) rows.push_back(*find(tx, id));
    return rows;
}

}  // namespace

TEST_CASE("messages: a row is read as it was written") {
    Fixture f;
    MessageRow r = f.row("+15550100199", "\xD0\x96 \xF0\x9F\x98\x80");
    r.keyed = true;
    r.key = "order-1";
    r.message_class = MessageClass::transactional;
    r.encoding = Encoding::ucs2;
    r.segments = 2;
    r.parts = {{.seq = 1}, {.seq = 2}};
    r.ready = true;
    r.lane = std::uint64_t{1} << 63 | 5;
    r.priority = 71.5;
    r.due_at = f.now + 1h;
    r.not_before = f.now + 2h;
    r.expires_at = f.now + 3h;
    r.report_wanted = false;
    r.flash = true;
    r.on_unknown = OnUnknown::resend;
    r.in_reply_to = MessageId{3};
    r.scheduled_message_id = 4211;
    r.claim_epoch = 9;
    r.campaign_name = "winback-nov";
    r.lease_until = f.now + 4h;
    r.state = "CA";
    r.time_zone = "America/Los_Angeles";
    r.known = "s3;";
    r.set_name = "welcome";
    r.after = MessageId{2};
    insert(*f.tx, r);
    REQUIRE(r.id.value > 0);
    for (int round = 0; round < 2; ++round) {
        CAPTURE(round);
        const auto got = find(*f.tx, r.id);
        REQUIRE(got.has_value());
        CHECK(got->key == "order-1");
        CHECK(got->keyed);
        CHECK(got->phone_number == r.phone_number);
        CHECK(got->content == r.content);
        CHECK(got->message_class == r.message_class);
        CHECK(got->encoding == r.encoding);
        CHECK(got->segments == 2);
        CHECK(got->status == r.status);
        CHECK(got->stored_status == r.status);
        CHECK(got->delivery_status == r.delivery_status);
        CHECK(got->ready == r.ready);
        CHECK(got->lane == r.lane);
        CHECK(got->priority == 71.5);
        CHECK(got->due_at == r.due_at);
        CHECK(got->not_before == r.not_before);
        CHECK(got->expires_at == r.expires_at);
        CHECK(got->timestamp == f.now);
        CHECK_FALSE(got->report_wanted);
        CHECK(got->flash);
        CHECK(got->on_unknown == OnUnknown::resend);
        CHECK(got->in_reply_to == r.in_reply_to);
        CHECK(got->scheduled_message_id == r.scheduled_message_id);
        CHECK(got->campaign_name == r.campaign_name);
        CHECK(got->lease_until == r.lease_until);
        CHECK(got->state == r.state);
        CHECK(got->time_zone == r.time_zone);
        CHECK(got->known == r.known);
        CHECK(got->set_name == r.set_name);
        CHECK(got->after == r.after);
        CHECK(got->claim_epoch == r.claim_epoch);
        CHECK(got->parts == r.parts);
        CHECK(got->modem_index == r.modem_index);
        CHECK(got->iccid == r.iccid);
        CHECK(got->sent_at == r.sent_at);
        CHECK(got->delivered_at == r.delivered_at);
        CHECK(got->report_until == r.report_until);
        CHECK(got->cost == r.cost);
        CHECK(got->reason == r.reason);
        CHECK(got->reason_text == r.reason_text);
        CHECK(got->retry_count == r.retry_count);
        CHECK(got->attempts_used == r.attempts_used);
        CHECK(got->last_attempt == r.last_attempt);
        r.status = MessageStatus::sent;
        r.delivery_status = DeliveryStatus::pending;
        r.ready = false;
        r.lane = 2;
        r.not_before = f.now + 5h;
        r.expires_at = f.now + 6h;
        r.modem_index = 1;
        r.iccid = "8949";
        r.retry_count = 3;
        r.attempts_used = 2;
        r.sent_at = f.now + 7h;
        r.delivered_at = f.now + 8h;
        r.report_until = f.now + 9h;
        r.cost = 0.25;
        r.reason = "cms-38";
        r.reason_text = "detail";
        r.parts[1] = {.seq = 2, .status = PartStatus::unknown, .tp_mr = 255, .modem_index = 1, .attempts = 4};
        r.last_attempt = 12;
        r.claim_epoch = 10;
        r.lease_until.reset();
        update(*f.tx, r);
        set_last_attempt(*f.tx, r.id, 12);
    }
}

TEST_CASE("messages: how a row is found") {
    Fixture f;
    auto r = f.row();
    r.keyed = true;
    r.key = "k-1";
    r.scheduled_message_id = 4211;
    const auto first = f.add(r);
    r.key = "k-2";
    const auto second = f.add(r);
    const auto third = f.add(f.row());
    CHECK(find_by_key(*f.tx, "k-1")->id == first);
    CHECK_FALSE(find_by_key(*f.tx, "k-3").has_value());
    CHECK_FALSE(find_by_key(*f.tx, "").has_value());  // keyless rows have none
    CHECK(find_by_scheduled(*f.tx, 4211)->id == second);
    CHECK_FALSE(find_by_scheduled(*f.tx, 1).has_value());
    CHECK_FALSE(find(*f.tx, MessageId{99}).has_value());
    CHECK_FALSE(find(*f.tx, third)->keyed);
    Tx twice{*f.db};
    insert(twice, r);  // the same key
    REQUIRE(twice.failed());
    CHECK(twice.error()->is(StoreErrc::constraint));
}

TEST_CASE("messages: parts as text") {
    const std::vector<std::vector<Part>> rows = {
        {},
        {{.seq = 1}},
        {{.seq = 1, .status = PartStatus::sent, .tp_mr = 0, .modem_index = 0, .attempts = 1},
         {.seq = 2, .status = PartStatus::unknown, .tp_mr = {}, .modem_index = 255, .attempts = 100}},
        {{.seq = 255, .status = PartStatus::delivered, .tp_mr = 255, .modem_index = 63, .attempts = 2}}};
    for (const auto& parts : rows) CHECK(unpack_parts(pack_parts(parts)) == parts);
    CHECK(pack_parts(rows[2]) == "1:2:0:0:1;2:5:-1:255:100");
    for (const char* damaged : {"x", ";;", "1", "1:2:3", "::::", "1:0:-1:-1:0;"})
        CHECK(unpack_parts(damaged).size() <= 2);  // no loop, no crash
}

TEST_CASE("messages: promote, lanes, order") {
    Fixture f;
    struct Row {
        std::uint64_t lane;
        double priority;
        std::chrono::seconds due;
        bool ready;
    };
    const auto add = [&](const Row& row) {
        auto r = f.row();
        r.lane = row.lane;
        r.priority = row.priority;
        r.due_at = r.not_before = f.now + row.due;
        r.ready = row.ready;
        return f.add(r).value;
    };
    constexpr auto top = std::uint64_t{1} << 63;
    const auto low = add({0, 10, 0s, true});
    const auto late = add({0, 50, 10s, true});
    const auto early = add({0, 50, 5s, true});
    const auto tie = add({0, 50, 5s, true});
    const auto pinned = add({2, 99, 0s, true});
    const auto last = add({top, 1, 0s, true});
    const auto waits = add({0, 100, 1h, false});
    const auto waits_more = add({4, 100, 2h, false});
    CHECK(ids(ready_rows(*f.tx, 0, 10)) == Ids{early, tie, late, low});
    CHECK(ids(ready_rows(*f.tx, 0, 2)) == Ids{early, tie});
    CHECK(ids(ready_rows(*f.tx, 2, 10)) == Ids{pinned});
    CHECK(ids(ready_rows(*f.tx, top, 10)) == Ids{last});
    std::vector<std::uint64_t> lanes;
    for (const auto& queue : ready_queues(*f.tx)) lanes.push_back(queue.lane);
    std::sort(lanes.begin(), lanes.end());
    CHECK(lanes == std::vector<std::uint64_t>{0, 2, top});
    CHECK(any_ready(*f.tx));
    CHECK(count_open(*f.tx) == 8);
    CHECK(next_waiting(*f.tx) == f.now + 1h);
    CHECK(promote(*f.tx, f.now + 1h - 1ms, 10) == 0);
    CHECK(promote(*f.tx, f.now + 1h, 10) == 1);
    CHECK(ready_rows(*f.tx, 0, 1)[0].id.value == waits);
    CHECK(next_waiting(*f.tx) == f.now + 2h);
    CHECK(promote(*f.tx, f.now + 3h, 10) == 1);
    CHECK(ids(ready_rows(*f.tx, 4, 1)) == Ids{waits_more});
    CHECK_FALSE(next_waiting(*f.tx).has_value());
    f.tx->run("UPDATE messages SET status = 7");
    CHECK_FALSE(any_ready(*f.tx));
    CHECK(ready_queues(*f.tx).empty());
    CHECK(count_open(*f.tx) == 0);
}

TEST_CASE("messages: what a modem asks of the queue costs the same, however long the queue is") {
    Fixture f;
    auto row = f.row();
    row.ready = true;
    for (int n = 0; n < 3000; ++n) {
        row.message_class = n % 2 == 0 ? MessageClass::marketing : MessageClass::transactional;
        f.add(row);
    }
    int steps = 0;  // of SQLite's machine
    const auto count = [](void* all) { return ++*static_cast<int*>(all), 0; };
    sqlite3_progress_handler(f.db->handle(), 1, count, &steps);
    CHECK(ready_queues(*f.tx).size() == 2);
    for (const auto& queue : ready_queues(*f.tx)) CHECK(first_ready(*f.tx, queue, 9, [](const auto&) { return true; }).has_value());
    CHECK(any_ready(*f.tx));
    CHECK_FALSE(next_waiting(*f.tx).has_value());
    CHECK(promote(*f.tx, f.now, 500) == 0);
    ReadyCursor at;
    CHECK(ready_and_expired(*f.tx, at, f.now, 20).empty());
    CHECK(ready_and_expired(*f.tx, at, f.now, 20).empty());
    sqlite3_progress_handler(f.db->handle(), 0, nullptr, nullptr);
    CHECK(steps < 2000);
}

TEST_CASE("messages: promote takes what waited longest, and no more than asked") {
    Fixture f;
    for (int n = 0; n < 5; ++n) {
        auto r = f.row();
        r.not_before = f.now - n * 1min;
        f.add(r);
    }
    CHECK(promote(*f.tx, f.now, 2) == 2);
    CHECK(ids(ready_rows(*f.tx, 0, 10)).size() == 2);
    CHECK(find(*f.tx, MessageId{5})->ready);
    CHECK(find(*f.tx, MessageId{4})->ready);
    CHECK(next_waiting(*f.tx) == f.now - 2min);
}

TEST_CASE("messages: list, newest first, page by page") {
    Fixture f;
    for (int n = 1; n <= 6; ++n) {
        auto r = f.row(n % 2 ? "+15550100123" : "+15550100124");
        if (n > 4) {
            r.direction = Direction::inbound;
            r.status = MessageStatus::unread;
        }
        f.add(r);
    }
    struct Row {
        std::string name;
        std::optional<MessageStatus> status;
        std::optional<Direction> direction;
        std::string phone;
        std::int64_t before;
        int limit;
        Ids want;
    };
    const std::optional<MessageStatus> any;
    const std::optional<Direction> both;
    const std::string a = "+15550100123", b = "+15550100124";
    const Row rows[] = {{"all", any, both, "", 0, 100, {6, 5, 4, 3, 2, 1}},
                        {"limit", any, both, "", 0, 2, {6, 5}},
                        {"next page", any, both, "", 5, 2, {4, 3}},
                        {"the last page", any, both, "", 2, 2, {1}},
                        {"status", MessageStatus::unread, both, "", 0, 100, {6, 5}},
                        {"direction", any, Direction::outbound, "", 0, 100, {4, 3, 2, 1}},
                        {"number", any, both, a, 0, 100, {5, 3, 1}},
                        {"number and direction", any, Direction::outbound, a, 0, 100, {3, 1}},
                        {"number, status, page", MessageStatus::queued, both, b, 4, 100, {2}},
                        {"nobody", any, both, "+15550100125", 0, 100, {}}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Filter filter;
        filter.status = row.status;
        filter.direction = row.direction;
        if (!row.phone.empty()) filter.phone = row.phone;
        if (row.before) filter.before = MessageId{row.before};
        filter.limit = row.limit;
        CHECK(ids(list(*f.tx, filter)) == row.want);
    }
}

TEST_CASE("messages: duplicate_of") {
    struct Row {
        MessageStatus status;
        bool counts;
    };
    using S = MessageStatus;
    for (const Row& row :
         {Row{S::queued, true}, Row{S::sending, true}, Row{S::sent, true}, Row{S::delivered, true}, Row{S::undelivered, true},
          Row{S::unknown, true}, Row{S::failed, false}, Row{S::expired, false}, Row{S::cancelled, false}, Row{S::suppressed, false}}) {
        CAPTURE(to_string(row.status));
        Fixture f;
        auto r = f.row();
        r.status = row.status;
        const auto id = f.add(r);
        const auto found = duplicate_of(*f.tx, "+15550100123", "Hi.", f.now);
        CHECK(found.has_value() == row.counts);
        if (found) CHECK(found->id == id);
        CHECK_FALSE(duplicate_of(*f.tx, "+15550100123", "Hi.", f.now + 1ms).has_value());
        CHECK_FALSE(duplicate_of(*f.tx, "+15550100123", "hi.", f.now).has_value());
        CHECK_FALSE(duplicate_of(*f.tx, "+15550100124", "Hi.", f.now).has_value());
    }
}

TEST_CASE("messages: an unread message is claimed by one bot at a time") {
    Fixture f;
    for (int n = 0; n < 3; ++n) {
        auto r = f.row();
        r.direction = Direction::inbound;
        r.status = n == 1 ? MessageStatus::read : MessageStatus::unread;
        f.add(r);
    }
    CHECK(ids(claim_unread(*f.tx, "a", f.now, f.now + 1min, 1)) == Ids{1});
    CHECK(ids(claim_unread(*f.tx, "b", f.now, f.now + 1min, 10)) == Ids{3});
    CHECK(claim_unread(*f.tx, "c", f.now + 1min - 1ms, f.now + 2min, 10).empty());
    CHECK(ids(claim_unread(*f.tx, "c", f.now + 1min, f.now + 2min, 10)) == Ids{1, 3});
}

TEST_CASE("messages: leases that end") {
    Fixture f;
    for (const auto lease : {std::optional{1min}, std::optional{2min}, std::optional<std::chrono::minutes>{}}) {
        auto r = f.row();
        if (lease) r.lease_until = f.now + *lease;
        f.add(r);
    }
    CHECK(leases_ending(*f.tx, f.now + 1min, 10).empty());
    CHECK(ids(leases_ending(*f.tx, f.now + 1min + 1ms, 10)) == Ids{1});
    CHECK(leases_ending(*f.tx, f.now + 1h, 1).size() == 1);
    f.tx->run("UPDATE messages SET status = 1 WHERE id = 1");  // on a modem: no longer given back
    CHECK(ids(leases_ending(*f.tx, f.now + 1h, 10)) == Ids{2});
}

TEST_CASE("messages: what a number got lately") {
    Fixture f;
    const auto add = [&](MessageClass message_class, MessageStatus status, std::chrono::milliseconds ago) {
        auto r = f.row();
        r.message_class = message_class;
        r.status = status;
        insert(*f.tx, r);
        const auto attempt = open_attempt(*f.tx, {.message = r.id, .started_at = f.now - ago});
        close_attempt(*f.tx, attempt, f.now - ago, status == MessageStatus::failed ? 1 : 0, 1, "");
        set_last_attempt(*f.tx, r.id, attempt);
    };
    add(MessageClass::marketing, MessageStatus::delivered, 24h * 7 + 1ms);
    add(MessageClass::marketing, MessageStatus::sent, 24h * 3);
    add(MessageClass::marketing, MessageStatus::failed, 23h);
    add(MessageClass::transactional, MessageStatus::sent, 2h);
    add(MessageClass::marketing, MessageStatus::unknown, 1h);
    const auto recent = recent_marketing(*f.tx, "+15550100123", f.now);
    CHECK(recent.contacts == std::vector{f.now - 1h, f.now - 24h * 3});
    CHECK(recent.last == f.now - 1h);
    CHECK_FALSE(recent_marketing(*f.tx, "+15550100124", f.now).last.has_value());
    CHECK(last_sent_to(*f.tx, "+15550100123")->id.value == 5);
    CHECK_FALSE(last_sent_to(*f.tx, "+15550100124").has_value());
}

TEST_CASE("messages: a contact of an earlier round counts, however the later round ended") {
    constexpr int accepted = 0, refused = 1, ambiguous = 2, not_sent = 3;  // driver::Ending
    const struct {
        const char* name;
        MessageStatus status;
        int outcome;
        int contacts;
    } rows[] = {{"asked for again, and its time was over", MessageStatus::expired, accepted, 1},
                {"asked for again, and cancelled", MessageStatus::cancelled, accepted, 1},
                {"asked for again, and opted out since", MessageStatus::suppressed, ambiguous, 1},
                {"asked for again, and refused", MessageStatus::failed, accepted, 1},
                {"waits again", MessageStatus::queued, ambiguous, 1},
                {"waits, and nothing left yet", MessageStatus::queued, refused, 0},
                {"expired, and nothing left", MessageStatus::expired, not_sent, 0},
                {"failed, and nothing left", MessageStatus::failed, refused, 0}};
    for (const auto& row : rows) {
        CAPTURE(row.name);
        Fixture f;
        auto r = f.row();
        r.message_class = MessageClass::marketing;
        r.status = row.status;
        insert(*f.tx, r);
        const auto first = open_attempt(*f.tx, {.message = r.id, .started_at = f.now - 2h});
        close_attempt(*f.tx, first, f.now - 2h, row.outcome, {}, "");
        const auto second = open_attempt(*f.tx, {.message = r.id, .started_at = f.now - 1h, .previous = first});
        close_attempt(*f.tx, second, f.now - 1h, refused, {}, "cms-38");
        set_last_attempt(*f.tx, r.id, second);
        const auto recent = recent_marketing(*f.tx, "+15550100123", f.now);
        CHECK(std::ssize(recent.contacts) == row.contacts);
        CHECK(recent.last.has_value() == (row.contacts > 0));
    }
}

TEST_CASE("list in parts: the same rows, however few there are and wherever they lie") {
    Fixture f;
    std::vector<std::int64_t> failed_ones;
    for (int n = 0; n < 200; ++n) {
        auto r = f.row();
        r.status = n % 67 == 3 ? MessageStatus::failed : MessageStatus::sent;
        r.direction = Direction::outbound;
        insert(*f.tx, r);
        if (r.status == MessageStatus::failed) failed_ones.insert(failed_ones.begin(), r.id.value);
    }
    for (const std::int64_t examined : {1, 7, 100, 199, 200, 1000}) {
        CAPTURE(examined);
        Filter filter{.status = MessageStatus::failed, .limit = 100};
        std::vector<std::int64_t> seen;
        int parts = 0;
        do {
            auto listed = list_some(*f.tx, filter, examined);
            for (const auto& row : listed.rows) seen.push_back(row.id.value);
            filter.before = listed.go_on;
            REQUIRE(++parts <= 201);
        } while (filter.before);
        CHECK(seen == failed_ones);
        if (examined < 200) CHECK(parts > 1);
    }
    CHECK_FALSE(list_some(*f.tx, {.limit = 10}, 1).go_on.has_value());  // every row passes
    CHECK(list_some(*f.tx, {.limit = 10}, 1).rows.size() == 10);
    auto in = f.row();
    in.direction = Direction::inbound;
    in.status = MessageStatus::unread;
    insert(*f.tx, in);
    const auto unread = list_some(*f.tx, {.status = MessageStatus::unread, .limit = 10}, 1);
    REQUIRE(unread.rows.size() == 1);
    CHECK(unread.rows[0].id == in.id);
    CHECK_FALSE(unread.go_on.has_value());
}
