// Telephones of the years before sticks: Nokia, Sony Ericsson, Motorola, BenQ.
#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr std::string_view manufacturers[] = {"nokia", "sony ericsson", "motorola", "benq"};

constexpr std::string_view echo_on[] = {"E1"};

constexpr Profile make() {
    Profile p = make_generic("phone");
    p.pace_octets = 18;  // row 75: more overruns the input
    p.quiet = echo_on;
    p.echo_tells = true;
    p.keep_link = KeepLink::no;
    return p;
}
constexpr Profile profile = make();

}  // namespace

const Family phones{manufacturers, {}, &profile};

}  // namespace conductor::profile
