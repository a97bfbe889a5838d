#include "daemon/core/nanp.hpp"

#include <array>
#include <memory>

namespace conductor {
namespace {

/// Area codes in service or announced with their overlays, by state. Blank-separated.
struct Row {
    AreaCode place;
    std::string_view codes;
};
constexpr Row rows[] = {
    {{"US", "AL"}, "205 251 256 334 659 938"},
    {{"US", "AK"}, "907"},
    {{"US", "AZ"}, "480 520 602 623 928"},
    {{"US", "AR"}, "327 479 501 870"},
    {{"US", "CA"},
     "209 213 279 310 323 341 350 357 369 408 415 424 442 510 530 559 562 619 626 628 650 657 661 669 707 714 738 747 760 "
     "805 818 820 831 837 840 858 909 916 925 949 951"},
    {{"US", "CO"}, "303 719 720 748 970 983"},
    {{"US", "CT"}, "203 475 860 959"},
    {{"US", "DE"}, "302"},
    {{"US", "DC"}, "202 771"},
    {{"US", "FL"}, "239 305 321 324 352 386 407 448 561 645 656 689 727 728 754 772 786 813 850 863 904 941 954"},
    {{"US", "GA"}, "229 404 470 478 678 706 762 770 912 943"},
    {{"US", "HI"}, "808"},
    {{"US", "ID"}, "208 986"},
    {{"US", "IL"}, "217 224 309 312 331 447 464 618 630 708 730 773 779 815 847 861 872"},
    {{"US", "IN"}, "219 260 317 463 574 765 812 930"},
    {{"US", "IA"}, "319 515 563 641 712"},
    {{"US", "KS"}, "316 620 785 913"},
    {{"US", "KY"}, "270 364 502 606 859"},
    {{"US", "LA"}, "225 318 337 457 504 985"},
    {{"US", "ME"}, "207"},
    {{"US", "MD"}, "227 240 301 410 443 667"},
    {{"US", "MA"}, "339 351 413 508 617 774 781 857 978"},
    {{"US", "MI"}, "231 248 269 313 517 586 616 679 734 810 906 947 989"},
    {{"US", "MN"}, "218 320 507 612 651 763 924 952"},
    {{"US", "MS"}, "228 471 601 662 769"},
    {{"US", "MO"}, "235 314 417 557 573 636 660 816 975"},
    {{"US", "MT"}, "406"},
    {{"US", "NE"}, "308 402 531"},
    {{"US", "NV"}, "702 725 775"},
    {{"US", "NH"}, "603"},
    {{"US", "NJ"}, "201 551 609 640 732 848 856 862 908 973"},
    {{"US", "NM"}, "505 575"},
    {{"US", "NY"}, "212 315 329 332 347 363 516 518 585 607 624 631 646 680 716 718 838 845 914 917 929 934"},
    {{"US", "NC"}, "252 336 472 704 743 828 910 919 980 984"},
    {{"US", "ND"}, "701"},
    {{"US", "OH"}, "216 220 234 283 326 330 380 419 436 440 513 567 614 740 937"},
    {{"US", "OK"}, "405 539 572 580 918"},
    {{"US", "OR"}, "458 503 541 971"},
    {{"US", "PA"}, "215 223 267 272 412 445 484 570 582 610 717 724 814 835 878"},
    {{"US", "RI"}, "401"},
    {{"US", "SC"}, "803 821 839 843 854 864"},
    {{"US", "SD"}, "605"},
    {{"US", "TN"}, "423 615 629 731 865 901 931"},
    {{"US", "TX"}, "210 214 254 281 325 346 361 409 430 432 469 512 621 682 713 726 737 806 817 830 832 903 915 936 940 945 956 972 979"},
    {{"US", "UT"}, "385 435 801"},
    {{"US", "VT"}, "802"},
    {{"US", "VA"}, "276 434 540 571 686 703 757 804 826 948"},
    {{"US", "WA"}, "206 253 360 425 509 564"},
    {{"US", "WV"}, "304 681"},
    {{"US", "WI"}, "262 274 353 414 534 608 715 920"},
    {{"US", "WY"}, "307"},
    {{"PR", "PR"}, "787 939"},
    {{"VI", "VI"}, "340"},
    {{"GU", "GU"}, "671"},
    {{"MP", "MP"}, "670"},
    {{"AS", "AS"}, "684"},
    {{"CA", "AB"}, "368 403 587 780 825"},
    {{"CA", "BC"}, "236 250 257 604 672 778"},
    {{"CA", "MB"}, "204 431 584"},
    {{"CA", "NB"}, "428 506"},
    {{"CA", "NL"}, "709 879"},
    {{"CA", "NS"}, "782 902"},
    {{"CA", "ON"}, "226 249 289 343 365 382 387 416 437 519 548 613 647 683 705 742 753 807 905 942"},
    {{"CA", "QC"}, "263 354 367 418 438 450 468 514 579 581 819 873"},
    {{"CA", "SK"}, "306 474 639"},
    {{"CA", "YT"}, "867"},
    {{"CA", ""}, "600 622 633 644 655 677 688"},
    {{"AG", ""}, "268"},
    {{"AI", ""}, "264"},
    {{"BB", ""}, "246"},
    {{"BM", ""}, "441"},
    {{"BS", ""}, "242"},
    {{"DM", ""}, "767"},
    {{"DO", ""}, "809 829 849"},
    {{"GD", ""}, "473"},
    {{"JM", ""}, "658 876"},
    {{"KN", ""}, "869"},
    {{"KY", ""}, "345"},
    {{"LC", ""}, "758"},
    {{"MS", ""}, "664"},
    {{"SX", ""}, "721"},
    {{"TC", ""}, "649"},
    {{"TT", ""}, "868"},
    {{"VC", ""}, "784"},
    {{"VG", ""}, "284"},
    {{"US", ""}, "500 521 522 523 524 525 526 527 528 529 533 544 566 577 588 700 710 800 833 844 855 866 877 888"},
};

/// Index into `rows` by area code; -1 is not in service.
constexpr std::array<std::int8_t, 1000> index_codes() {
    static_assert(std::size(rows) < 128);
    std::array<std::int8_t, 1000> index{};
    index.fill(-1);
    for (std::size_t r = 0; r < std::size(rows); ++r)
        for (std::size_t at = 0; at + 3 <= rows[r].codes.size(); at += 4) {
            const std::string_view c = rows[r].codes.substr(at, 3);
            index[static_cast<std::size_t>((c[0] - '0') * 100 + (c[1] - '0') * 10 + (c[2] - '0'))] = static_cast<std::int8_t>(r);
        }
    return index;
}
constexpr std::array<std::int8_t, 1000> row_of_code = index_codes();

constexpr std::string_view other_states = "NT NU PE";  ///< share an area code with a neighbour that stands for them above

/// First three digits of ZIP codes: each range to the next row's begin belongs to `state`; empty is not in use. Military mail has no state.
struct ZipRange {
    int begin;
    std::string_view state;
};
constexpr ZipRange zips[] = {
    {0, ""},     {5, "NY"},   {6, "PR"},   {8, "VI"},   {9, "PR"},   {10, "MA"},  {28, "RI"},  {30, "NH"},  {39, "ME"},  {50, "VT"},
    {55, "MA"},  {56, "VT"},  {60, "CT"},  {63, "NY"},  {64, "CT"},  {70, "NJ"},  {90, ""},    {100, "NY"}, {150, "PA"}, {197, "DE"},
    {200, "DC"}, {201, "VA"}, {202, "DC"}, {206, "MD"}, {220, "VA"}, {247, "WV"}, {269, ""},   {270, "NC"}, {290, "SC"}, {300, "GA"},
    {320, "FL"}, {340, ""},   {341, "FL"}, {343, ""},   {344, "FL"}, {345, ""},   {346, "FL"}, {348, ""},   {349, "FL"}, {350, "AL"},
    {370, "TN"}, {386, "MS"}, {398, "GA"}, {400, "KY"}, {428, ""},   {430, "OH"}, {460, "IN"}, {480, "MI"}, {500, "IA"}, {529, ""},
    {530, "WI"}, {550, "MN"}, {568, ""},   {569, "DC"}, {570, "SD"}, {578, ""},   {580, "ND"}, {589, ""},   {590, "MT"}, {600, "IL"},
    {630, "MO"}, {660, "KS"}, {680, "NE"}, {694, ""},   {700, "LA"}, {715, ""},   {716, "AR"}, {730, "OK"}, {733, "TX"}, {734, "OK"},
    {750, "TX"}, {800, "CO"}, {817, ""},   {820, "WY"}, {832, "ID"}, {839, ""},   {840, "UT"}, {848, ""},   {850, "AZ"}, {866, ""},
    {870, "NM"}, {885, "TX"}, {886, ""},   {889, "NV"}, {899, ""},   {900, "CA"}, {962, ""},   {967, "HI"}, {969, "GU"}, {970, "OR"},
    {980, "WA"}, {995, "AK"}, {1000, ""}};

}  // namespace

const AreaCode* find_area_code(int code) {
    if (code < 0 || code > 999 || row_of_code[static_cast<std::size_t>(code)] < 0) return nullptr;
    return &rows[row_of_code[static_cast<std::size_t>(code)]].place;
}

bool is_state(std::string_view state) {
    if (state.size() != 2) return false;
    for (const Row& row : rows)
        if (row.place.state == state) return true;
    return other_states.find(state) != std::string_view::npos && state.find(' ') == std::string_view::npos;
}

std::string_view state_of_zip(std::string_view zip) {
    if (zip.size() != 5 && !(zip.size() == 10 && zip[5] == '-')) return {};
    for (std::size_t i = 0; i < zip.size(); ++i)
        if (i != 5 && (zip[i] < '0' || zip[i] > '9')) return {};
    const int prefix = (zip[0] - '0') * 100 + (zip[1] - '0') * 10 + (zip[2] - '0');
    std::string_view state;
    for (const ZipRange& range : zips) {
        if (range.begin > prefix) break;
        state = range.state;
    }
    return state;
}

}  // namespace conductor
