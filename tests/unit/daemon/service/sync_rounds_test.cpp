// What SyncService does from one round to the next.
#include "tests/unit/daemon/service/linked.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

TEST_CASE("what is asked for while a round is under way is done in the next one") {
    Linked box;
    SUBCASE("sync now") {
        box.server.asked = [&](const std::string& function) {
            if (function == "gw_claim_v1" && box.server.calls[function] == 1) box.sync->now();
        };
        box.begin();
        CHECK(box.run([&] { return box.server.calls["gw_claim_v1"] == 2; }, 2s));
    }
    SUBCASE("db release, while `mine` is on its way") {
        box.server.asked = [&](const std::string& function) {
            if (function == "gw_mine_v1" && box.server.calls[function] == 1) box.sync->greet_again();
        };
        box.begin();
        CHECK(box.run([&] { return box.server.calls["gw_mine_v1"] == 2; }, 2s));
    }
    box.server.asked = {};
}
