-- The function tidemark.row_has replaces this one: it compares values also by their types.
drop function if exists tidemark.has_values(integer[], text[], integer[], text[]) cascade;
