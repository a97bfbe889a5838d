#include <doctest/doctest.h>

#include "modem/profile/profile.hpp"

using namespace conductor::profile;

TEST_CASE("which profile a modem gets, by what it says of itself") {
    struct Row {
        const char *manufacturer, *model, *want;
    };
    const Row rows[] = {{"huawei", "E1752", "huawei"},
                        {"HUAWEI TECHNOLOGIES CO., LTD", "K3772", "huawei"},
                        {"ZTE INCORPORATED", "MF667", "zte"},
                        {"SIMCOM_Ltd", "SIMCOM_SIM800L", "simcom-classic"},
                        {"SIMCOM INCORPORATED", "SIM7600G-H", "simcom"},
                        {"Quectel", "EC25", "quectel"},
                        {"u-blox", "SARA-R410M", "ublox"},
                        {"Telit", "HE910-D", "telit"},
                        {"WAVECOM MODEM", "MULTIBAND 900E 1800", "sierra-wavecom"},
                        {"Cinterion", "MC75i", "cinterion"},
                        {"SIEMENS", "TC35i", "cinterion"},
                        {"", "M590", "neoway"},
                        {"Example", "EX100", "generic"},
                        {"", "", "generic"}};
    for (const Row& row : rows) {
        CAPTURE(row.model);
        const Profile& p = profile_for(row.manufacturer, row.model);
        CHECK(p.name == row.want);
        CHECK(!p.iccid.empty());
        CHECK(!p.indications.empty());
        CHECK(!p.receive_stores.empty());
        CHECK(!p.pin_tries.empty());
    }
}

TEST_CASE("quirks that keep messages or modems") {
    CHECK(!profile_for("huawei", "E173").restart_is_safe);                        // T47
    CHECK(profile_for("huawei", "E173").indications.front() == "2,1,0,2,0");      // row 66
    CHECK(profile_for("Quectel", "EC25").report_slot_lies);                       // T27
    CHECK(profile_for("Quectel", "EC25").indications.front() == "2,1,0,1,0");     // row 36: ds=1
    CHECK(profile_for("Cinterion", "MC75i").indications.front() == "2,1,0,1,1");  // row 61
    CHECK(profile_for("Cinterion", "MC75i").keep_link == KeepLink::no);           // row 64
    CHECK(profile_for("Neoway", "M590").radio_off.empty());                       // row 73
    CHECK(profile_for("WAVECOM MODEM", "Q2406").pin_ready_without_ok);            // row 53
}
