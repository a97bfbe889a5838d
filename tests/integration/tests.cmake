# Tests that run the programs as processes, and judges of what is no C++. Label "integration": tools/test --fast leaves them out.
set(checks ${CMAKE_SOURCE_DIR}/tools/lib)
add_test(NAME format COMMAND ${checks}/check-format)
add_test(NAME systemd_unit COMMAND ${checks}/check-unit)
set_tests_properties(format systemd_unit PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 120)

conductor_test(unit_tools_harness unit/tools/harness LINK tools_harness)
foreach(kind daemon supabase)
  conductor_test(integration_${kind} integration/${kind} LINK tools_harness LABELS integration TIMEOUT 600)
  if(TARGET integration_${kind})
    add_dependencies(integration_${kind} conductord conductorctl modemsim)
  endif()
endforeach()
