-- tidemark.row_has replaces this function: it compares values also by their types.
drop function if exists tidemark.has_values(integer[], text[], integer[], text[]) cascade;
