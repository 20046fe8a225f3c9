-- For a server whose configuration cannot be changed, where views would read with the rights of whoever asks: lets the
-- public views read with the writer's. Run it as an administrator after every `yangguang migrate` that made a view anew.
ALTER TABLE yangguang.rates_now MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.rates_history MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.operators MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.villages MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.kitchens MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.cameras MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.findings MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.banquets MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.orders MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.order_conflicts MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.events MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.rejected MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.rejected_summary MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.alerts MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.alert_transitions MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.alert_deliveries MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.indicators MODIFY SQL SECURITY DEFINER DEFINER = writer;
ALTER TABLE yangguang.towns MODIFY SQL SECURITY DEFINER DEFINER = writer;
