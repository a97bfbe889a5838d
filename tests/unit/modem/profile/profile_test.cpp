#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "modem/profile/profile.hpp"
#include "modem/profile/stick_state.hpp"

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
                        {"SIMCOM_Ltd", "SIMCOM_SIM7000G", "simcom-catm"},
                        {"SIMCOM INCORPORATED", "A7670E", "simcom"},
                        {"Quectel", "EC25", "quectel"},
                        {"Quectel_Ltd", "Quectel_M35", "quectel-serial"},
                        {"Quectel", "UC15", "quectel-serial"},
                        {"u-blox", "SARA-R410M", "ublox"},
                        {"Telit", "HE910-D", "telit"},
                        {"WAVECOM MODEM", "MULTIBAND 900E 1800", "sierra-wavecom"},
                        {"Cinterion", "MC75i", "cinterion"},
                        {"Gemalto", "ALS3", "cinterion"},
                        {"SIEMENS", "TC35i", "siemens"},
                        {"QUALCOMM INCORPORATED", "HSPA Modem", "qualcomm"},
                        {"QUALCOMM INCORPORATED", "E173", "huawei"},
                        {"Novatel Wireless Incorporated", "XU870", "stored-reports"},
                        {"Nokia", "6310i", "phone"},
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
    CHECK(!profile_for("huawei", "E173").restart_is_safe);                         // T47
    CHECK(profile_for("huawei", "E173").indications.front() == "2,1,0,2,0");       // row 66
    CHECK(profile_for("huawei", "E173").read_by_index);                            // row 1
    CHECK(profile_for("huawei", "E3531").stored_late.count() == 500);              // row 6
    CHECK(profile_for("huawei", "E160").ussd_packed);                              // row 8
    CHECK(profile_for("ZTE", "MF190").quiet.front() == "+CPMS?");                  // row 21
    CHECK(profile_for("ZTE", "MF667").after_sim.back() == "+ZOPRT=5");             // row 24
    CHECK(!profile_for("ZTE", "MF190").restart_is_safe);                           // row 11
    CHECK(profile_for("SIMCOM_Ltd", "SIMCOM_SIM800L").sms_ready.count() >= 30);    // rows 26, 35
    CHECK(profile_for("SIMCOM INCORPORATED", "SIM7600E").radio_off == "+CFUN=4");  // row 34
    CHECK(profile_for("Quectel", "EC25").report_slot_lies);                        // T27
    CHECK(profile_for("Quectel", "EC25").indications.front() == "2,1,0,1,0");      // row 36: ds=1
    CHECK(!profile_for("Quectel", "EC25").quiet.empty());                          // row 42
    CHECK(!profile_for("Quectel_Ltd", "Quectel_M35").report_slot_lies);
    CHECK(profile_for("Cinterion", "MC75i").indications.front() == "2,1,0,1,1");  // row 61
    CHECK(profile_for("Cinterion", "MC75i").receive_stores.front() == "SM");      // row 61
    CHECK(profile_for("Cinterion", "MC75i").keep_link == KeepLink::no);           // row 64
    CHECK(profile_for("Cinterion", "MC75i").pace_octets == 0);
    CHECK(profile_for("SIEMENS", "M20").pace_octets > 0);                       // row 59
    CHECK(profile_for("Nokia", "6310i").pace_octets == 18);                     // row 75
    CHECK(profile_for("Neoway", "M590").radio_off.empty());                     // row 73
    CHECK(profile_for("Neoway", "M590").receive_stores.size() == 1);            // row 73
    CHECK(profile_for("WAVECOM MODEM", "Q2406").pin_ready_without_ok);          // row 53
    CHECK(profile_for("Sierra Wireless", "AC881").after_pin.count() >= 3);      // row 69
    CHECK(!profile_for("QUALCOMM INCORPORATED", "").restart_is_safe);           // row 72
    CHECK(profile_for("Novatel", "XU870").indications.front() == "2,1,0,2,0");  // row 66
}

TEST_CASE("every rung of every profile makes messages known") {
    for (const char* maker : {"", "huawei", "zte", "simcom", "quectel", "ublox", "telit", "sierra", "cinterion", "siemens", "neoway",
                              "qualcomm", "novatel", "nokia"}) {
        CAPTURE(maker);
        for (const std::string_view value : profile_for(maker, "").indications) {
            CAPTURE(value);
            REQUIRE(value.size() >= 3);
            CHECK(value.find_first_not_of("0123,") == std::string_view::npos);
            CHECK((value[2] == '1' || value[2] == '2'));  // <mt> 0 would keep them silent, 3 too where only class 3 goes out
        }
    }
}

TEST_CASE("sticks without a port: by their USB ids, and for makers of modems by the classes of their interfaces") {
    struct Row {
        const char *name, *vendor, *product;
        std::vector<std::string> classes;
        std::string_view want;
    };
    const Row rows[] = {{"CD-ROM of the table", "12d1", "1f01", {"08"}, "mass-storage"},
                        {"HiLink of the table", "12d1", "14dc", {"02", "0a", "08"}, "network-only"},
                        {"a CD-ROM of a known maker", "19d2", "ffff", {"08"}, "mass-storage"},
                        {"RNDIS of a known maker", "19d2", "fffe", {"0a", "e0"}, "network-only"},
                        {"a maker's modem with its own classes", "2c7c", "0125", {"ff"}, ""},
                        {"somebody else's disk", "0781", "5567", {"08"}, ""},
                        {"somebody else's network card", "0b95", "772b", {"02", "0a"}, ""},
                        {"a maker's device without interfaces", "12d1", "ffff", {}, ""}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto state = conductor::profile::stick_state(row.vendor, row.product, "Example", row.classes);
        CHECK((state ? state->state : "") == row.want);
        if (state) CHECK(!state->text.empty());
    }
}
