-- source_get_cap: ?1 source; until, told; hook_cap_store.c
SELECT until, told FROM source_caps WHERE source = ?1
