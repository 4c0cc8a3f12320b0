-- The change of the model that is under way, and how far it is.
select c.origin, c.target, e.name as active, c.started_at, c.total,
       (select count(*) from vectors_owed) as owed, c.per_second, c.error,
       case e.place
         when 'public' then exists (select from public.ann_index)
           and not exists (select from second_set.ann_index)
         else exists (select from second_set.ann_index)
           and not exists (select from public.ann_index)
       end as index_missing
from model_change c cross join embedding_model e
