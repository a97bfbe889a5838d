// The table of the field notes, transcribed by hand: classes and scopes of every code, before Ctrl-Z and after it. Nothing here is made
// from the code's own table.
#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

#include "modem/at/errors.hpp"

using namespace conductor::at;

namespace {

struct Entry {
    std::string codes;  ///< "1", "144-159"
    std::string word;   ///< the first class of the notes: PERM-R, PERM-C, TRANS, BUSY, MODEM, HUMAN, AMBIG, OKDUP
    char scope;         ///< R recipient, S SIM, M modem, N network, X message
    /// h: holds, no attempt is used though it is TRANS
    char hold = ' ';
};

// 3.2, RP-cause. Of two scopes the one that strikes count against.
const std::vector<Entry> rp_cause = {{"1", "PERM-R", 'R'},  {"8", "HUMAN", 'S'},   {"10", "HUMAN", 'S'},  {"11", "TRANS", 'X'},
                                     {"17", "TRANS", 'N'},  {"21", "TRANS", 'S'},  {"22", "TRANS", 'R'},  {"27", "TRANS", 'R'},
                                     {"28", "PERM-R", 'R'}, {"29", "HUMAN", 'S'},  {"30", "PERM-R", 'R'}, {"34", "HUMAN", 'S'},
                                     {"38", "TRANS", 'R'},  {"41", "TRANS", 'N'},  {"42", "TRANS", 'N'},  {"47", "TRANS", 'N'},
                                     {"50", "HUMAN", 'S'},  {"69", "HUMAN", 'S'},  {"81", "BUSY", 'X'},   {"95", "PERM-C", 'X'},
                                     {"96", "PERM-C", 'X'}, {"97", "PERM-C", 'X'}, {"98", "BUSY", 'M'},   {"99", "PERM-C", 'X'},
                                     {"111", "TRANS", 'N'}, {"127", "TRANS", 'X'}};

// 3.3, TP-FCS. The notes give no scopes there: content is the message's, busy storage the SIM's or modem's, the centre the network's.
const std::vector<Entry> tp_fcs = {
    {"128-130", "PERM-C", 'X'}, {"143", "PERM-C", 'X'},     {"144-145", "PERM-C", 'X'}, {"159", "PERM-C", 'X'},
    {"160-161", "PERM-C", 'X'}, {"175-176", "PERM-C", 'X'}, {"192", "TRANS", 'N'},      {"193", "HUMAN", 'S'},
    {"194", "TRANS", 'N'},      {"195-196", "PERM-R", 'R'}, {"197", "OKDUP", 'X'},      {"198-199", "PERM-C", 'X'},
    {"208", "BUSY", 'S'},       {"209", "PERM-C", 'M'},     {"210", "MODEM", 'M'},      {"211", "BUSY", 'M'},
    {"212", "BUSY", 'S'},       {"213", "TRANS", 'N'},      {"224-254", "TRANS", 'N'},  {"255", "TRANS", 'N'}};

// 3.4, +CMS ERROR from 256 on, where nothing was handed over yet.
const std::vector<Entry> cms_before = {
    {"256", "BUSY", 'M'},       {"300", "MODEM", 'M'},  {"301", "BUSY", 'M'},       {"302", "BUSY", 'M'},
    {"303", "PERM-C", 'M'},     {"304", "PERM-C", 'X'}, {"305", "PERM-C", 'X'},     {"310", "HUMAN", 'S'},
    {"311", "HUMAN", 'S'},      {"312", "HUMAN", 'S'},  {"313", "MODEM", 'S'},      {"314", "BUSY", 'S'},
    {"315", "HUMAN", 'S'},      {"316", "HUMAN", 'S'},  {"317-318", "HUMAN", 'S'},  {"320", "BUSY", 'M'},
    {"322", "BUSY", 'M'},       {"330", "HUMAN", 'S'},  {"331", "TRANS", 'N', 'h'}, {"332", "TRANS", 'N', 'h'},
    {"500", "TRANS", 'S'},      {"512", "BUSY", 'M'},   {"513-514", "PERM-C", 'X'}, {"515", "BUSY", 'M'},
    {"516-520", "PERM-C", 'X'}, {"521", "TRANS", 'X'},  {"522", "BUSY", 'M'},       {"532", "BUSY", 'S'},
    {"535", "BUSY", 'N'},       {"538", "PERM-C", 'X'}, {"549-554", "PERM-C", 'X'}, {"615-616", "TRANS", 'N', 'h'},
    {"640", "BUSY", 'M'},       {"770", "HUMAN", 'S'},  {"772", "MODEM", 'S'},      {"600-614", "TRANS", 'X'},
    {"999", "TRANS", 'X'}};

// 3.5, +CME ERROR before Ctrl-Z. 20 to 22 are the storage's, 51 to 55 the radio's: the modem's own business.
const std::vector<Entry> cme_before = {
    {"0", "MODEM", 'M'},       {"60", "MODEM", 'M'},      {"100", "MODEM", 'M'},     {"1-2", "MODEM", 'M'},     {"3", "BUSY", 'M'},
    {"5-7", "HUMAN", 'S'},     {"10", "HUMAN", 'S'},      {"11", "HUMAN", 'S'},      {"12", "HUMAN", 'S'},      {"13", "MODEM", 'S'},
    {"14", "BUSY", 'S'},       {"15", "HUMAN", 'S'},      {"16", "HUMAN", 'S'},      {"17-18", "HUMAN", 'S'},   {"20", "BUSY", 'M'},
    {"23", "MODEM", 'M'},      {"24-27", "PERM-C", 'X'},  {"30", "TRANS", 'N', 'h'}, {"31", "TRANS", 'N', 'h'}, {"32", "TRANS", 'N', 'h'},
    {"40-47", "HUMAN", 'S'},   {"48-49", "HUMAN", 'S'},   {"50", "PERM-C", 'X'},     {"59", "PERM-C", 'X'},     {"61", "PERM-C", 'X'},
    {"51", "MODEM", 'M'},      {"53-55", "MODEM", 'M'},   {"52", "BUSY", 'M'},       {"56", "HUMAN", 'S'},      {"57", "BUSY", 'M'},
    {"58", "PERM-C", 'X'},     {"62", "HUMAN", 'S'},      {"103", "HUMAN", 'S'},     {"106", "HUMAN", 'S'},     {"107", "HUMAN", 'S'},
    {"111-113", "HUMAN", 'S'}, {"132-134", "HUMAN", 'S'}, {"515", "BUSY", 'M'}};

ErrorClass class_of(const std::string& word) {
    if (word == "PERM-R") return ErrorClass::permanent_recipient;
    if (word == "PERM-C") return ErrorClass::permanent_content;
    if (word == "TRANS") return ErrorClass::transient;
    if (word == "BUSY") return ErrorClass::busy;
    if (word == "MODEM") return ErrorClass::modem;
    if (word == "HUMAN") return ErrorClass::human;
    if (word == "OKDUP") return ErrorClass::duplicate;
    REQUIRE(word == "AMBIG");
    return ErrorClass::ambiguous;
}

Scope scope_of(char letter) {
    switch (letter) {
        case 'R': return Scope::recipient;
        case 'S': return Scope::sim;
        case 'M': return Scope::modem;
        case 'N': return Scope::network;
        default: REQUIRE(letter == 'X'); return Scope::message;
    }
}

void check(const Entry& e, FailureKind kind, Phase phase) {
    int first = 0, last = 0;
    char dash = 0;
    std::istringstream in{e.codes};
    in >> first;
    last = (in >> dash >> last) ? last : first;
    for (int code = first; code <= last; ++code) {
        CAPTURE(code);
        const Verdict v = classify({kind, code, phase});
        CHECK(v.error_class == class_of(e.word));
        CHECK(v.scope == scope_of(e.scope));
        // Only what the network or the recipient made of the message uses an attempt up.
        const bool spends = e.hold != 'h' && (e.word.starts_with("PERM") || e.word == "TRANS" || e.word == "OKDUP");
        if (e.codes != "209" && e.codes != "303") CHECK(v.counts == spends);  // these two: another modem can, so nothing is spent
    }
}

}  // namespace

TEST_CASE("error table: the field notes, code by code") {
    for (const Phase phase : {Phase::before_ctrl_z, Phase::after_ctrl_z}) {
        for (const Entry& e : rp_cause) check(e, FailureKind::cms, phase);  // a definite refusal in either phase
        for (const Entry& e : tp_fcs) check(e, FailureKind::cms, phase);
    }
    for (const Entry& e : cms_before) check(e, FailureKind::cms, Phase::before_ctrl_z);
    for (const Entry& e : cme_before) check(e, FailureKind::cme, Phase::before_ctrl_z);
}

TEST_CASE("error table: after Ctrl-Z the contract alone decides what is open") {
    for (const Entry& e : cms_before) {
        int first = 0;
        std::istringstream{e.codes} >> first;
        CAPTURE(first);
        const bool definite = first >= 301 && first <= 331;
        if (definite)
            check(e, FailureKind::cms, Phase::after_ctrl_z);
        else
            CHECK(classify({FailureKind::cms, first, Phase::after_ctrl_z}).error_class == ErrorClass::ambiguous);
    }
}

TEST_CASE("error table: limits of the notes") {
    struct Row {
        int code, tries, first_delay;
        AtLimit at_limit;
    };
    const Row rows[] = {{11, 2, 0, AtLimit::fail},   {21, 2, 0, AtLimit::fail},     {22, 0, 900, AtLimit::fail},
                        {27, 0, 900, AtLimit::fail}, {34, 2, 0, AtLimit::rest_sim}, {38, 3, 0, AtLimit::fail},
                        {81, 2, 2, AtLimit::fail},   {98, 2, 2, AtLimit::fail},     {99, 2, 0, AtLimit::fail},
                        {111, 3, 0, AtLimit::fail},  {127, 3, 0, AtLimit::fail},    {224, 2, 0, AtLimit::fail},
                        {255, 3, 0, AtLimit::fail},  {330, 2, 0, AtLimit::rest_sim}};
    for (const Row& row : rows) {
        CAPTURE(row.code);
        const Verdict v = classify({FailureKind::cms, row.code, Phase::after_ctrl_z});
        CHECK(v.tries == row.tries);
        CHECK(v.first_delay == std::chrono::seconds{row.first_delay});
        CHECK(v.at_limit == row.at_limit);
    }
}
