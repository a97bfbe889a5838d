// Telephones of the years before sticks: Nokia, Sony Ericsson, Motorola, BenQ.
#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr std::string_view manufacturers[] = {"nokia", "sony ericsson", "motorola", "benq"};

constexpr Profile make() {
    Profile p = make_generic("phone");
    p.pace_octets = 18;  // row 75: more overruns the input
    p.keep_link = KeepLink::no;
    return p;
}
constexpr Profile profile = make();

}  // namespace

const Family phones{manufacturers, {}, &profile};

}  // namespace conductor::profile
