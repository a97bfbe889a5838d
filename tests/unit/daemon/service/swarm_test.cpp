// Random faults against a service centre that counts: whatever happens, no message is lost, and under hold none goes out twice.
#include <map>
#include <random>

#include "daemon/service/events.hpp"
#include "tests/unit/daemon/service/box.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

namespace {

/// Two modems, one service centre, and a network that does what it likes.
struct Swarm {
    Box box;
    std::mt19937 rng;
    struct InFlight {
        Sent sent;
        int tp_mr;
        bool taken;  ///< the service centre has it, whatever the modem will say
    };
    std::optional<InFlight> in_flight[2];
    std::optional<std::pair<int, WallTime>> late[2];          ///< a +CMGS that has not come yet
    std::vector<std::pair<std::string, ModemIndex>> reports;  ///< on their way
    std::map<std::pair<std::int64_t, int>, int> copies;       ///< at the service centre, by message and part
    std::vector<MessageId> ids;
    int next_mr = 0, second = 0;
    bool shared_numbers = false;  ///< then a report may be of either of two parts whose references are not known

    explicit Swarm(unsigned seed) : rng{seed} {}
    bool chance(int percent) { return static_cast<int>(rng() % 100) < percent; }

    void add(OnUnknown policy) {
        NewMessage m;
        m.to = "+155501001" + std::to_string(10 + (shared_numbers ? rng() % 4 : ids.size()));
        m.text = "Message " + std::to_string(ids.size()) + std::string(rng() % 3 * 160, 'x');
        m.message_class = MessageClass::transactional;
        m.on_unknown = policy;
        m.expire_after = 6h;
        ids.push_back(box.add(m));
    }
    void submit(ModemIndex modem, const PickAnswer& answer) {
        const auto sent = Box::sent_of(answer, modem);
        if (!sent) return;
        late[modem].reset();  // the next answer of the modem is this one's
        in_flight[modem] = InFlight{*sent, next_mr++ & 255, false};
    }
    void take(InFlight& f, ModemIndex modem) {
        f.taken = true;
        const auto concat = pdu::find_concat(f.sent.tpdu.data.udh);
        ++copies[{f.sent.message.value, concat ? concat->seq : 1}];
        if (chance(80))
            reports.emplace_back(report(f.tp_mr, chance(85) ? st_delivered : st_failed, f.sent.tpdu.to.digits, ++second % 60), modem);
    }
    driver::SubmitOutcome outcome(InFlight& f, ModemIndex modem) {
        const int dice = static_cast<int>(rng() % 100);
        if (dice < 60) {
            take(f, modem);
            return Box::accepted(f.sent.token, f.tp_mr);
        }
        if (dice < 70) return Box::not_sent(f.sent.token);
        if (dice < 80) return Box::refused(f.sent.token, chance(80) ? 41 : 1);
        if (chance(50)) {
            take(f, modem);
            if (chance(50)) late[modem] = {f.tp_mr, box.now + std::chrono::seconds{rng() % 60}};
        }
        return Box::ambiguous(f.sent.token);
    }
    void crash() {
        for (int modem : {0, 1}) {
            if (in_flight[modem] && chance(50)) take(*in_flight[modem], modem);
            in_flight[modem].reset();
            late[modem].reset();
        }
        box.run([&](Tx& tx) { recover(tx, box.env, {}, box.now); });
    }
    void step() {
        box.now += std::chrono::seconds{rng() % 120};
        const ModemIndex modem = static_cast<int>(rng() % 2);
        if (chance(1)) return crash();
        if (late[modem] && late[modem]->second <= box.now && !in_flight[modem]) {
            box.run([&](Tx& tx) { settle_late(tx, box.env, modem, late[modem]->first, box.now); });
            late[modem].reset();
        }
        if (!reports.empty() && chance(40)) {
            const auto at = static_cast<std::ptrdiff_t>(rng() % reports.size());
            const auto [hex, by] = reports[static_cast<std::size_t>(at)];
            if (!chance(20)) reports.erase(reports.begin() + at);  // else it comes again
            box.take_in(hex, by);
        }
        box.run([&](Tx& tx) { close_overdue_reports(tx, box.env, box.now, 10); });
        if (in_flight[modem]) {
            auto f = *in_flight[modem];
            in_flight[modem].reset();
            const auto result = outcome(f, modem);
            submit(modem, box.pick(modem, result, chance(90)));
        } else {
            submit(modem, box.pick(modem, std::nullopt, chance(90)));
        }
    }
    bool settled() {
        for (const auto id : ids) {
            const auto row = box.row(id);
            if (!is_final(row.status, row.delivery_status)) return false;
        }
        return true;
    }
};

}  // namespace

TEST_CASE("swarm: every message ends, and under hold no part goes out twice") {
    for (unsigned seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        Swarm s{seed};
        const auto policy = seed % 3 == 0 ? OnUnknown::resend : OnUnknown::hold;
        s.shared_numbers = seed % 2 == 0;
        for (int n = 0; n < 12; ++n) s.add(policy);
        int steps = 0;
        while (!s.settled() && steps < 20'000) {
            s.step();
            if (++steps > 200) s.box.now += 5min;
        }
        REQUIRE(s.settled());
        // told exactly once per change: no two events in a row say the same, and the last one is what the row says
        std::map<std::string, std::string> last;
        for (const auto& body : s.box.told_bodies()) {
            const auto state = body["kind"].get<std::string>() + "/" + body["delivery_status"].get<std::string>();
            auto& before = last[body["local_id"].get<std::string>()];
            CHECK(before != state);
            before = state;
        }
        for (const auto id : s.ids) {
            const auto row = s.box.row(id);
            CAPTURE(id.value);
            const auto state = std::string{to_string(row.status)} + "/" + std::string{to_string(row.delivery_status)};
            CHECK(last[derived_uuid(s.box.env, "message", id.value)] == state);
            int out = 0;
            for (const Part& part : row.parts) {
                const int copies = s.copies[{id.value, part.seq}];
                if (policy == OnUnknown::hold) CHECK(copies <= 1);
                out += copies > 0;
            }
            const int all = static_cast<int>(row.parts.size());
            CAPTURE(state);
            if (s.shared_numbers) continue;
            if (row.status == MessageStatus::sent || row.status == MessageStatus::delivered) CHECK(out == all);
            if (policy == OnUnknown::hold && (row.status == MessageStatus::failed || row.status == MessageStatus::expired)) CHECK(out == 0);
            if (row.status == MessageStatus::unknown || row.status == MessageStatus::undelivered || row.status == MessageStatus::failed ||
                row.status == MessageStatus::expired)
                CHECK_FALSE(row.reason.value_or("").empty());
        }
        CHECK(s.box.run([](Tx& tx) { return store::open_attempts(tx).size(); }) == 0);
        CHECK(s.box.run([](Tx& tx) { return store::count_open(tx); }) == 0);
    }
}
