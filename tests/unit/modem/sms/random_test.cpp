// Random messages through the whole codec. CONDUCTOR_ROUND_TRIPS sets how many (default 100,000; 10,000 under a sanitizer),
// CONDUCTOR_SEED the first seed.
#include <doctest/doctest.h>

#include <cstdlib>
#include <random>

#include "modem/pdu/gsm7.hpp"
#include "modem/pdu/unicode.hpp"
#include "modem/sms/sms.hpp"

using namespace conductor;
using namespace conductor::sms;
using pdu::Alphabet;

namespace {

using Random = std::mt19937_64;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t default_count = 10'000;
#else
constexpr std::uint64_t default_count = 100'000;
#endif

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// 0 .. n-1.
unsigned below(Random& rng, unsigned n) {
    return static_cast<unsigned>(rng() % n);
}
bool chance(Random& rng) {
    return below(rng, 2) == 1;
}
std::uint8_t octet(Random& rng) {
    return static_cast<std::uint8_t>(below(rng, 256));
}

/// A character of a random table, of the plane of the emoji, or of anywhere.
char32_t random_character(Random& rng, unsigned flavour) {
    if (flavour == 0 || below(rng, 8) == 0) {
        const auto language = static_cast<std::uint8_t>(below(rng, flavour == 1 ? 14 : 1));
        const pdu::Table* table = chance(rng) ? pdu::locking_table(language) : pdu::single_shift_table(language);
        const char16_t c = table ? (*table)[below(rng, 128)] : u'x';
        return c ? c : U' ';
    }
    if (flavour == 2) return below(rng, 3) == 0 ? U'\u200D' : 0x1F300 + below(rng, 0x400);
    const char32_t c = 1 + below(rng, flavour == 3 ? 0x10FFFE : 0x600);
    return c >= 0xD800 && c <= 0xDFFF ? U'?' : c;
}

std::string random_text(Random& rng) {
    const unsigned flavour = below(rng, 5), length = 1 + below(rng, below(rng, 4) == 0 ? 600 : 200);
    std::string text;
    for (unsigned i = 0; i < length; ++i) pdu::append_utf8(text, random_character(rng, flavour));
    return text;
}

pdu::Timestamp random_time(Random& rng) {
    const auto number = [&](unsigned n) { return static_cast<int>(below(rng, n)); };
    return {2000 + number(100), 1 + number(12), 1 + number(28), number(24), number(60), number(60), number(159) - 79};
}

pdu::Address random_address(Random& rng) {
    const unsigned kind = below(rng, 4);
    pdu::Address a;
    const unsigned length = 1 + below(rng, kind == 3 ? 11 : 20);
    if (kind == 3) {
        a.ton = pdu::Ton::alphanumeric;
        a.npi = 0;
        for (unsigned i = 0; i < length; ++i) pdu::append_utf8(a.digits, (*pdu::locking_table(0))[0x20 + below(rng, 0x5B)]);
        return a;
    }
    constexpr pdu::Ton tons[] = {pdu::Ton::unknown, pdu::Ton::international, pdu::Ton::national};
    a.ton = tons[kind];
    a.npi = static_cast<std::uint8_t>(below(rng, 16));
    if (a.ton == pdu::Ton::international) a.digits = "+";
    for (unsigned i = 0; i < length; ++i) a.digits.push_back("0123456789*#abc"[below(rng, below(rng, 8) == 0 ? 15 : 10)]);
    return a;
}

pdu::Validity random_validity(Random& rng) {
    switch (below(rng, 4)) {
        case 0: return pdu::NoValidity{};
        case 1: return pdu::RelativeValidity{octet(rng)};
        case 2: return pdu::AbsoluteValidity{random_time(rng)};
        default: {
            pdu::EnhancedValidity v;
            for (std::uint8_t& o : v.octets) o = octet(rng);
            return v;
        }
    }
}

/// A TPDU of a random type around the user data.
pdu::Tpdu random_tpdu(Random& rng, const pdu::Dcs& dcs, pdu::UserData data) {
    switch (below(rng, 4)) {
        case 0:
            return pdu::Submit{.reject_duplicates = chance(rng),
                               .report_request = chance(rng),
                               .reply_path = chance(rng),
                               .mr = octet(rng),
                               .to = random_address(rng),
                               .pid = octet(rng),
                               .dcs = dcs,
                               .validity = random_validity(rng),
                               .data = std::move(data)};
        case 1:
            return pdu::Deliver{.more_to_send = chance(rng),
                                .reply_path = chance(rng),
                                .report_indication = chance(rng),
                                .loop_prevention = chance(rng),
                                .from = random_address(rng),
                                .pid = octet(rng),
                                .dcs = dcs,
                                .time = random_time(rng),
                                .data = std::move(data)};
        case 2: {
            pdu::StatusReport r{.more_to_send = chance(rng),
                                .command = chance(rng),
                                .loop_prevention = chance(rng),
                                .mr = octet(rng),
                                .recipient = random_address(rng),
                                .time = random_time(rng),
                                .discharge = random_time(rng),
                                .status = octet(rng)};
            if (chance(rng)) r.pid = octet(rng);
            if (chance(rng)) r.dcs = dcs, r.data = std::move(data);
            return r;
        }
        default: {
            pdu::DeliverReport r;
            if (chance(rng)) r.failure = static_cast<std::uint8_t>(0x80 | octet(rng));
            if (chance(rng)) r.pid = octet(rng);
            if (chance(rng)) r.dcs = dcs, r.data = std::move(data);
            return r;
        }
    }
}

/// Octets as on the wire are filled in by decoding alone.
void forget_octets(pdu::Tpdu& tpdu, const pdu::Dcs& dcs) {
    if (dcs.alphabet == Alphabet::data8) return;
    std::visit(overloaded{[](pdu::Submit& s) { s.data.octets.clear(); }, [](pdu::Deliver& d) { d.data.octets.clear(); },
                          [](auto& r) {
                              if (r.data) r.data->octets.clear();
                          }},
               tpdu);
}

/// One TPDU out and back; false when the two differ.
bool same_after_a_round_trip(Random& rng, const pdu::Dcs& dcs, const pdu::UserData& data) {
    const pdu::Pdu sent{.smsc = chance(rng) ? std::optional{pdu::address_of("+15550100000")} : std::nullopt,
                        .tpdu = random_tpdu(rng, dcs, data)};
    const bool from_phone = std::holds_alternative<pdu::Submit>(sent.tpdu) || std::holds_alternative<pdu::DeliverReport>(sent.tpdu);
    const auto encoded = pdu::encode(sent);
    if (!encoded) return false;
    auto back = pdu::decode(encoded->octets, from_phone ? pdu::Way::mobile_originated : pdu::Way::mobile_terminated);
    if (!back) return false;
    forget_octets(back->tpdu, dcs);
    return *back == sent;
}

pdu::UserData random_octets(Random& rng) {
    pdu::UserData data;
    if (chance(rng)) data.udh.push_back({0x05, {octet(rng), octet(rng), octet(rng), octet(rng)}});
    if (chance(rng)) data.udh.push_back({static_cast<std::uint8_t>(0x70 + below(rng, 16)), pdu::Octets(below(rng, 20), octet(rng))});
    for (unsigned n = below(rng, 100); n > 0; --n) data.octets.push_back(octet(rng));
    return data;
}

SegmentOptions random_options(Random& rng) {
    SegmentOptions o;
    o.ref = static_cast<std::uint16_t>(rng());
    o.wide_ref = chance(rng);
    if (below(rng, 4) == 0) o.encoding = Want::ucs2;
    for (unsigned n = below(rng, 3); n > 0; --n) o.national_tables.push_back(static_cast<std::uint8_t>(below(rng, 15)));
    return o;
}

bool reads_back(Random& rng, const std::string& text) {
    const auto cut = segment(text, random_options(rng));
    if (!cut) return false;
    const pdu::Dcs dcs =
        pdu::parse_dcs(pdu::make_dcs(cut->alphabet, below(rng, 8) == 0 ? std::optional{static_cast<int>(below(rng, 4))} : std::nullopt));
    std::vector<std::optional<pdu::UserData>> parts;
    for (const Segment& s : cut->segments) {
        if (!same_after_a_round_trip(rng, dcs, s.data)) return false;
        parts.push_back(s.data);
    }
    return cut->text == text && join(parts, cut->alphabet) == text;
}

}  // namespace

TEST_CASE("random messages read back") {
    const std::uint64_t count = from_environment("CONDUCTOR_ROUND_TRIPS", default_count);
    const std::uint64_t first = from_environment("CONDUCTOR_SEED", 20261122);
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        Random rng{seed};
        const bool good = below(rng, 8) == 0 ? same_after_a_round_trip(rng, pdu::parse_dcs(chance(rng) ? 0x04 : 0xF5), random_octets(rng))
                                             : reads_back(rng, random_text(rng));
        REQUIRE_MESSAGE(good, seed);  // the one number that repeats a failure
    }
}
